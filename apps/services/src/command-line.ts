import { StartupError } from '@tokone/persistence';

/** `--gateways N`, or nothing. @throws StartupError */
export function readArguments(argv: readonly string[]): void {
  const [option, value, ...rest] = argv;
  if (option === undefined) return;
  if (option !== '--gateways' || rest.length > 0) {
    throw new StartupError(`${argv.join(' ')} is not understood. npm run start:services takes --gateways N; all else is an environment variable, see npm run start:services -- --help.`);
  }
  if (value === '1') return;
  if (!/^[1-9]\d?$/.test(value ?? '')) throw new StartupError('--gateways needs a number from 1 on.');
  throw new StartupError('More than one gateway needs an admission that they share; in this version each gateway has its own. Start one.');
}
