"""Help for programs that look names up in C, out of gdns' reach."""
