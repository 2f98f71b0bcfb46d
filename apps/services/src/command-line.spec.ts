import { expect, it } from '@jest/globals';
import { StartupError } from '@tokone/persistence';
import { readArguments } from './command-line.js';

it.each([[[]], [['--gateways', '1']]])('takes %j', (argv) => {
  expect(() => readArguments(argv)).not.toThrow();
});

it.each([
  [['--gateways', '2'], 'share'],
  [['--gateways'], 'a number from 1 on'],
  [['--gateways', 'x'], 'a number from 1 on'],
  [['--gateways', '1', '2'], 'is not understood'],
  [['--replicas', '1'], '--replicas 1 is not understood'],
])('refuses %j in a sentence', (argv, words) => {
  const read = () => readArguments(argv);
  expect(read).toThrow(StartupError);
  expect(read).toThrow(words);
});
