import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import OpenAI from 'openai';
import { startSimulator, type Simulator } from './server.js';

let simulator: Simulator;
let client: OpenAI;
beforeAll(async () => {
  simulator = await startSimulator();
  client = new OpenAI({ apiKey: 'k', baseURL: `${simulator.url}/v1`, maxRetries: 0 });
});
afterAll(() => simulator.close());

const messages = [{ role: 'user' as const, content: 'hi' }];

describe('bench models', () => {
  it('bench-json is a small whole answer with usage', async () => {
    const completion = await client.chat.completions.create({ model: 'bench-json', messages });
    expect(completion.usage?.total_tokens).toBe(76);
    expect(JSON.stringify(completion).length).toBeLessThan(800);
  });

  it.each(['bench-burst', 'bench-paced'])('%s is a stream of 64 events, then usage and [DONE]', async (model) => {
    const begun = Date.now();
    const usages: unknown[] = [];
    let contents = 0;
    for await (const chunk of await client.chat.completions.create({ model, messages, stream: true })) {
      if (chunk.choices[0]?.delta.content) contents += 1;
      if (chunk.usage) usages.push(chunk.usage);
    }
    expect(contents).toBe(64);
    expect(usages).toEqual([expect.objectContaining({ completion_tokens: 64 })]);
    if (model === 'bench-paced') expect(Date.now() - begun).toBeGreaterThan(64 * 20 - 40);
  });

  it('leave no truth, and a prompt that only names them is answered as ever', async () => {
    const before = simulator.truth().length;
    await client.chat.completions.create({ model: 'bench-json', messages });
    expect(simulator.truth()).toHaveLength(before);
    const completion = await client.chat.completions.create({ model: 'gpt-5.5', messages: [{ role: 'user', content: 'bench-json' }] });
    expect(completion.model).toBe('gpt-5.5');
    expect(simulator.truth()).toHaveLength(before + 1);
  });
});
