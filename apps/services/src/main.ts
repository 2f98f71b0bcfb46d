import 'reflect-metadata';
import { runShape } from '@tokone/quickstart';
import { watchStopSignals } from '@tokone/service';
import { readArguments } from './command-line.js';
import { SETTINGS } from './settings.js';
import { startServices } from './supervisor.js';

const { argv, env: environment, stdout, stderr } = process;
const narrator = { say: (line: string) => void stderr.write(`${line}\n`) };
process.exit(
  await runShape(
    {
      about: 'TokOne as separate services on this machine.',
      settings: SETTINGS,
      checkArguments: readArguments,
      start: (settings, stop) => startServices(settings, { stop, narrator, ...readArguments(argv.slice(2)) }),
    },
    { argv: argv.slice(2), environment, stdout, stderr, stop: watchStopSignals(), elapsedMs: () => performance.now() },
  ),
);
