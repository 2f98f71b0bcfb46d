// Appends at full speed and prints what was acknowledged: `o <n>` an OPEN, `c <n>` a CLOSE. Ends by being killed.
import { writeSync } from 'node:fs';
import { Spool } from '../src/spool.ts';

const [folder, first] = process.argv.slice(2);
const spool = await Spool.open({ folder, now: Date.now, onAlarm: () => undefined, segmentBytes: 20_000, ballastBytes: 0 });
for (const { id } of spool.orphans) spool.append(4, id, 'orphan');

let number = Number(first);
const idOf = (value) => `00000000-0000-7000-8000-${value.toString(16).padStart(12, '0')}`;
function request() {
  const own = number++;
  spool.append(1, idOf(own), `open ${own}`);
  spool.written({
    spooled(error) {
      if (error) throw error;
      // Straight to the pipe: what is printed was acknowledged, whatever happens next.
      writeSync(1, `o ${own}\n`);
      spool.append(4, idOf(own), `close ${own} ${'x'.repeat(own % 300)}`);
      spool.written({
        spooled() {
          writeSync(1, `c ${own}\n`);
          setImmediate(request);
        },
      });
    },
  });
}
for (let worker = 0; worker < 16; worker++) request();
