import { StartupError } from '@tokone/persistence';

/** More would be no use on one machine. */
const MOST_GATEWAYS = 16;

/** `--gateways N`, or nothing: one. @throws StartupError */
export function readArguments(argv: readonly string[]): { gateways: number } {
  const [option, value, ...rest] = argv;
  if (option === undefined) return { gateways: 1 };
  if (option !== '--gateways' || rest.length > 0) {
    throw new StartupError(`${argv.join(' ')} is not understood. npm run start:services takes --gateways N; all else is an environment variable, see npm run start:services -- --help.`);
  }
  const gateways = /^[1-9]\d?$/.test(value ?? '') ? Number(value) : 0;
  if (gateways < 1 || gateways > MOST_GATEWAYS) throw new StartupError(`--gateways needs a number from 1 to ${MOST_GATEWAYS}.`);
  return { gateways };
}
