import { documentSettings } from '@tokone/http';
import { SETTINGS } from './settings.js';

const INTRODUCTION = `# Configuration

Generated from \`apps/standalone/src/settings.ts\`; a test compares the two, \`node tools/documents.mjs\` writes it anew.

\`npm start\` needs no setting. Settings are environment variables; an empty one counts as not set, and a wrong value
stops the start with a sentence that names it. A relative path starts in the folder where you call npm.

`;

const REMARKS = `
## Real providers
With a provider key in the environment the group's requests go to that provider and cost real money; the lines after
\`TokOne is ready\` say so for each group. Without it, at the next start, the group goes back to the simulator. An upstream
URL sends the group to another address, with the key when there is one.

## The data folder
It is made with mode 0700, and every file in it is for its owner alone. \`pepper\`, \`credential-key\` and
\`postgres-password\` are random, stand in no database and must be part of every backup: without them the keys, the stored
credentials and the database beside them cannot be used. One TokOne at a time works on a folder.

\`quickstart.env\` holds the addresses and the demo keys as lines that a shell can source. It is written before each
\`TokOne is ready\`; keys that stand in it are kept. Keys are shown on the first start only, and only on a terminal.

## Stopping
Ctrl-C, SIGTERM and SIGHUP are the same: no new requests, running answers may end, then everything is closed, exit
status 0. A start that cannot go on ends with status 1 and a sentence. After a \`kill -9\` the next start on the folder takes
PostgreSQL and the simulator over and charges what was left open. When PostgreSQL ends by itself, so does TokOne, with
status 1; the simulator is started again on its port, and what it knew of earlier requests is lost.
`;

/** The whole text of docs/configuration.md. */
export function documentConfiguration(): string {
  return `${INTRODUCTION}${documentSettings(SETTINGS)}\n${REMARKS}`;
}
