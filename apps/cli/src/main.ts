import { runCommandLine } from './command-line.js';

process.exitCode = await runCommandLine(process.argv, {
  dataFolder: process.env['TOKONE_DATA_DIR'] || '.tokone',
  print: (text) => process.stdout.write(`${text}\n`),
  complain: (text) => process.stderr.write(`${text}\n`),
});
