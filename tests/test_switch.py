"""What is put into a module is taken out again, and nothing else is."""

from __future__ import annotations

from types import SimpleNamespace

import pytest

from gdns.switch import Place, Switch


def test_values_are_in_place_until_undone():
    module = SimpleNamespace(look=1, see=2)
    switch = Switch([Place(module, "look", 10), Place(module, "see", 20)])
    assert (module.look, module.see, switch.is_on) == (10, 20, True)
    switch.undo()
    switch.undo()
    assert (module.look, module.see, switch.is_on) == (1, 2, False)


def test_a_with_statement_undoes():
    module = SimpleNamespace(look=1)
    with Switch([Place(module, "look", 10)]):
        assert module.look == 10
    assert module.look == 1


def test_an_attribute_that_was_not_there_is_removed():
    module = SimpleNamespace()
    with Switch([Place(module, "look", 10)]):
        assert module.look == 10
    assert not hasattr(module, "look")


def test_what_others_have_put_there_since_stays():
    module = SimpleNamespace(look=1)
    switch = Switch([Place(module, "look", 10)])
    module.look = 99
    switch.undo()
    assert module.look == 99


def test_nothing_is_changed_where_one_value_cannot_be_put_in():
    module = SimpleNamespace(look=1)
    with pytest.raises(AttributeError):
        Switch([Place(module, "look", 10), Place(object(), "see", 20)])
    assert module.look == 1


def test_two_switches_of_one_place_are_taken_out_in_turn():
    module = SimpleNamespace(look=1)
    with Switch([Place(module, "look", 10)]), Switch([Place(module, "look", 11)]):
        assert module.look == 11
    assert module.look == 1


def test_a_method_that_a_class_inherits_is_inherited_again():
    class Base:
        def look(self):
            return 1

    class Heir(Base):
        pass

    with Switch([Place(Heir, "look", lambda self: 10)]):
        assert Heir().look() == 10
    assert "look" not in vars(Heir)
    assert Heir().look() == 1


def test_a_static_method_stays_one():
    class Owner:
        @staticmethod
        def look():
            return 1

    with Switch([Place(Owner, "look", staticmethod(lambda: 10))]):
        assert Owner().look() == 10
    assert Owner().look() == 1
