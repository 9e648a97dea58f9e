// Measures Node.js: usage: node_client.js resolve|lookup A|getaddrinfo ADDRESS:PORT NAMES IN_FLIGHT [DISTINCT]
//
// "resolve" is c-ares on Node's loop: resolve4, and for getaddrinfo resolve4 and resolve6 side by side. "lookup" is
// glibc's getaddrinfo in Node's thread pool of four, and asks whom resolv.conf names.
"use strict";
const { lookup, Resolver } = require("node:dns").promises;

const [how, call, server, names, inFlight, distinct] = process.argv.slice(2);
const count = Number(names);
const different = distinct ? Number(distinct) : count;
const resolver = new Resolver();
resolver.setServers([server]);

async function resolveBoth(name) {
  return (await Promise.all([resolver.resolve4(name), resolver.resolve6(name)])).flat();
}

async function lookUpAll(name) {
  const options = call === "A" ? { family: 4, all: true } : { all: true };
  return (await lookup(name, options)).map((found) => found.address);
}

const ask = how === "lookup" ? lookUpAll : call === "A" ? (name) => resolver.resolve4(name) : resolveBoth;

// FNV-1a, as in bench.h
function expected(name) {
  let hash = 0x811c9dc5;
  for (const octet of Buffer.from(name)) hash = Math.imul(hash ^ octet, 0x01000193) >>> 0;
  const tail = `${(hash >>> 16).toString(16)}:${(hash & 0xffff).toString(16)}`;
  const ipv6 = hash >>> 16 ? `2001:db8::${tail}` : `2001:db8::${(hash & 0xffff).toString(16)}`;
  return call === "A" ? [`192.0.2.${hash & 0xff}`] : [`192.0.2.${hash & 0xff}`, ipv6];
}

async function main() {
  const nameOf = (number) => `n${number % different}.bench.example`;
  const answers = new Array(different);
  await ask("warm-up.bench.example");
  if (different < count) for (let number = 0; number < different; number++) await ask(nameOf(number));
  let next = 0;
  let answered = 0;
  async function work() {
    while (next < count) {
      const number = next++;
      try {
        answers[number % different] = await ask(nameOf(number));
        answered++;
      } catch (error) {
        if (answered + 1 === next) console.error(String(error));
      }
    }
  }
  const start = process.cpuUsage();
  const began = process.hrtime.bigint();
  await Promise.all(Array.from({ length: Number(inFlight) }, work));
  const wall = Number(process.hrtime.bigint() - began) / 1e9;
  const used = process.cpuUsage(start);
  let wrong = 0;
  answers.forEach((found, number) => {
    if (found && String([...found].sort()) !== String(expected(nameOf(number)).sort())) wrong++;
  });
  const cpu = (used.user + used.system) / count;
  console.log(JSON.stringify({
    client: `node ${how} ${call}`, lookups: count, answered, wrong, cpu_us_per_lookup: cpu, wall,
  }));
}

main();
