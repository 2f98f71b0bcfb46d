import { expect, it } from '@jest/globals';
import { StartupError } from '@tokone/persistence';
import { readArguments } from './command-line.js';

it.each([
  [[], 1],
  [['--gateways', '1'], 1],
  [['--gateways', '16'], 16],
] as const)('takes %j as %d gateways', (argv, gateways) => {
  expect(readArguments(argv)).toEqual({ gateways });
});

it.each([
  [['--gateways', '17'], 'a number from 1 to 16'],
  [['--gateways', '0'], 'a number from 1 to 16'],
  [['--gateways'], 'a number from 1 to 16'],
  [['--gateways', 'x'], 'a number from 1 to 16'],
  [['--gateways', '1', '2'], 'is not understood'],
  [['--replicas', '1'], '--replicas 1 is not understood'],
])('refuses %j in a sentence', (argv, words) => {
  const read = () => readArguments(argv);
  expect(read).toThrow(StartupError);
  expect(read).toThrow(words);
});
