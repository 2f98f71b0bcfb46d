import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { openAiDialect } from './openai/dialect.js';
import { Directives } from './directives.js';
import { startSimulator, type Simulator } from './server.js';
import { streamRefusal, type Exchange } from './service.js';

let simulator: Simulator;
beforeAll(async () => {
  simulator = await startSimulator({ chunkDelayMs: 0 });
});
afterAll(() => simulator.close());

describe('the end of a service', () => {
  it('stands in the truth before the client can have seen it', async () => {
    for (const [asked, outcome] of [['Reply with OK', 'complete'], ['[[sim: end-after=1]]', 'cut'], ['[[sim: error-after=1]]', 'error']]) {
      const body = JSON.stringify({ model: 'm', stream: true, messages: [{ role: 'user', content: asked }] });
      await (await fetch(`${simulator.url}/v1/chat/completions`, { method: 'POST', headers: { authorization: 'Bearer k' }, body })).text();
      expect(simulator.truth().at(-1)?.outcome).toBe(outcome);
    }
  });

  it('is the error that the prompt names, or the one of a provider without capacity', () => {
    const refusalFor = (text: string) => streamRefusal({ directives: Directives.read(text), dialect: openAiDialect } as Exchange);
    expect(refusalFor('[[sim: status=429]]').status).toBe(429);
    expect(refusalFor('').status).toBe(503);
  });
});
