// npm run start:services: Kafka, Redis, PostgreSQL and every service as processes of this machine.
import { launch } from './launch.mjs';
import { runScript } from './workspace.mjs';

await runScript(() => launch({ app: 'services', argv: process.argv.slice(2) }));
