// Run where files cannot grow without end: fills the spool until the disk refuses, closes what is open, waits for
// admission, and prints the facts as JSON. `filler` is a file whose removal makes room again; it may be missing.
import { rmSync } from 'node:fs';
import { Spool } from '../src/spool.ts';

const [folder, filler] = process.argv.slice(2);
const alarms = [];
const spool = await Spool.open({ folder, now: Date.now, onAlarm: (alarm) => alarms.push({ kind: alarm.kind, code: alarm.cause?.code }), ballastBytes: 65_536 });
const idOf = (value) => `00000000-0000-7000-8000-${value.toString(16).padStart(12, '0')}`;
const written = () => new Promise((resolve, reject) => spool.written({ spooled: (error) => (error ? reject(error) : resolve()) }));
const deadline = setTimeout(() => process.exit(3), 30_000);

const acknowledged = [];
const refused = [];
let running = [];
for (let number = 0; spool.accepting; number++) {
  try {
    spool.append(1, idOf(number), 'o'.repeat(997));
    await written();
    acknowledged.push(idOf(number));
    running.push(idOf(number));
  } catch (error) {
    refused.push({ id: idOf(number), code: error.code });
  }
}
const closedAtOnce = [];
for (const id of running.slice(0, 20)) {
  spool.append(4, id, 'c'.repeat(500));
  await written();
  closedAtOnce.push(id);
}
const acceptingWhileFull = spool.accepting;
if (filler) rmSync(filler);
while (!spool.accepting) await new Promise((resolve) => setTimeout(resolve, 5));
spool.append(1, idOf(999_999), 'again');
await written();
await spool.close();
clearTimeout(deadline);
console.log(JSON.stringify({ acknowledged, refused, closedAtOnce, acceptingWhileFull, alarms }));
