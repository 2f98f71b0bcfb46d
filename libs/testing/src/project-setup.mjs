// Runs before each spec: Jest has no time limit per project, so jest.config.mjs hands it here, with the product's shape.
import { jest } from '@jest/globals';

const { timeoutMs, shape } = Reflect.get(globalThis, 'testProject');
jest.setTimeout(timeoutMs);
if (shape !== undefined) process.env['TOKONE_TEST_SHAPE'] = shape;
