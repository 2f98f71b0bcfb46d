import { describe, expect, it } from '@jest/globals';
import { modelPrice } from './fixtures/tenant.js';
import { writeModelList } from './model-list.js';

const other = { ...modelPrice, model: 'n' };

describe('a list of models', () => {
  it('has the shape of OpenAI', () => {
    expect(writeModelList('openai-chat', [modelPrice])).toEqual({ object: 'list', data: [{ id: 'm', object: 'model', created: expect.any(Number), owned_by: 'openai' }] });
  });

  it('has the shape of Anthropic, whole in one page', () => {
    expect(writeModelList('anthropic-messages', [modelPrice, other])).toMatchObject({
      data: [{ type: 'model', id: 'm', display_name: 'm', created_at: expect.stringMatching(/Z$/) }, { id: 'n' }],
      has_more: false,
      first_id: 'm',
      last_id: 'n',
    });
    expect(writeModelList('anthropic-messages', [])).toEqual({ data: [], has_more: false, first_id: null, last_id: null });
  });

  it('has the shape of Gemini', () => {
    expect(writeModelList('gemini-content', [modelPrice])).toMatchObject({
      models: [{ name: 'models/m', displayName: 'm', inputTokenLimit: 100_000, outputTokenLimit: 1_000, supportedGenerationMethods: ['generateContent', 'streamGenerateContent'] }],
    });
  });
});
