// Loaded before Azurite: lets it end in order, whatever happens to the rehearsal that started it.
//
// Azurite writes its index every five seconds and at SIGTERM. It listens for SIGTERM only once it is up, and to the first
// one only: a second, or one that comes early, ends it with nothing written. So this listener stays, holds back what comes
// early, and takes the end of standard input, a pipe whose other end the rehearsal holds, for the same request.
"use strict";

const LOOK_MILLISECONDS = 20;
let asked = false;
let passed = false;

const azuriteListens = () => process.listenerCount("SIGTERM") > 1;

process.on("SIGTERM", () => {
  if (azuriteListens()) passed = true;
  else asked = true;
});
process.stdin.on("end", () => {
  asked = true;
});
process.stdin.on("error", () => {
  asked = true;
});
process.stdin.resume();
if (process.stdin.unref) process.stdin.unref();

setInterval(() => {
  if (asked && !passed && azuriteListens()) {
    passed = true;
    process.emit("SIGTERM");
  }
}, LOOK_MILLISECONDS).unref();
