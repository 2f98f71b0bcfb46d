import { adapterContract } from './adapter.contract.js';
import { AdapterSwitch, HttpLoop } from './fixtures/http-loop.js';

adapterContract('in this process', async () => ({ over: (local) => local, close: async () => undefined }));

adapterContract('over HTTP', async () => {
  const loop = new HttpLoop();
  const local = new AdapterSwitch();
  const { url } = await loop.open(local);
  const adapter = loop.adapterTo([url]);
  return {
    over: (target) => {
      local.target = target;
      return adapter;
    },
    close: () => loop.close(),
  };
});
