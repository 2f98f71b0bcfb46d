import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, readFileSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { afterEach, describe, expect, it } from '@jest/globals';
import { execForm, readDockerfile, textsOf, type Stage } from './image/dockerfile.js';
import { workspaceRoot } from './workspace.mjs';

const dockerfile = readDockerfile(readFileSync(join(workspaceRoot, 'deploy/Dockerfile'), 'utf8'));
const { stages } = dockerfile;
const runtime = stages.at(-1) as Stage;

describe('readDockerfile', () => {
  it('joins continued lines, and keeps stages and arguments apart', () => {
    const { bases, stages: read } = readDockerfile('ARG A=b:1\n# FROM c\nFROM ${A} AS x\nRUN one \\\n && two\nFROM x AS y\nCMD ["a", "b"]\n');
    expect(bases).toEqual(new Map([['A', 'b:1']]));
    expect(read.map(({ base, name }) => [base, name])).toEqual([['${A}', 'x'], ['x', 'y']]);
    expect(textsOf(read[0] as Stage, 'RUN')).toEqual(['one   && two']);
    expect(execForm('--interval=1s CMD ["a", "b"]')).toEqual(['a', 'b']);
    expect(execForm('node main.js')).toBeUndefined();
  });
});

describe('deploy/Dockerfile', () => {
  it('takes every base image from an argument that has a pinned default, or from a stage before', () => {
    stages.forEach(({ base }, index) => {
      const earlier = stages.slice(0, index).map(({ name }) => name);
      const [, argument] = /^\$\{(\w+)\}$/.exec(base) ?? [];
      if (argument === undefined) expect(earlier).toContain(base);
      else expect(dockerfile.bases.get(argument)).toMatch(/^[\w./-]+:(?!latest)[\w.-]+$/);
    });
  });

  it('copies only what is there', () => {
    const known: string[] = [];
    for (const stage of stages) {
      for (const text of textsOf(stage, 'COPY')) {
        const [, from] = /--from=(\S+)/.exec(text) ?? [];
        const sources = text.split(/\s+/).filter((word) => !word.startsWith('--')).slice(0, -1);
        if (from !== undefined) expect(known).toContain(from);
        else expect(sources.filter((source) => !existsSync(join(workspaceRoot, source)))).toEqual([]);
      }
      expect(textsOf(stage, 'ADD')).toEqual([]);
      known.push(stage.name);
    }
  });

  it('ends as a user without rights, by number, so that a cluster can see that it is not root', () => {
    expect(textsOf(runtime, 'USER').at(-1)).toMatch(/^[1-9]\d*:[1-9]\d*$/);
  });

  it('owns no file but the folder of the volume: the program cannot change itself', () => {
    const [user] = (textsOf(runtime, 'USER').at(-1) ?? '').split(':');
    expect(textsOf(runtime, 'COPY').filter((text) => text.includes('--chown'))).toEqual([]);
    expect(textsOf(runtime, 'RUN')).toEqual([expect.stringMatching(new RegExp(`^install -d -o ${user} -g ${user} -m 0700 /var/lib/tokone$`))]);
  });

  it('starts and checks by commands in exec form, and stops by SIGTERM', () => {
    expect(textsOf(runtime, 'CMD')).toEqual([]);
    expect(execForm(textsOf(runtime, 'ENTRYPOINT').join())).toEqual(['/bin/sh', '-c', expect.stringMatching(/^exec node "apps\/\$\{APP\}\/dist\/main\.js" "\$@"$/), '--']);
    expect(execForm(textsOf(runtime, 'HEALTHCHECK').join())?.[0]).toBe('node');
    expect(textsOf(runtime, 'STOPSIGNAL')).toEqual(['SIGTERM']);
  });

  it('says what it is', () => {
    const labels = textsOf(runtime, 'LABEL').join(' ');
    for (const name of ['title', 'description', 'licenses', 'version', 'revision']) expect(labels).toContain(`org.opencontainers.image.${name}=`);
  });
});

describe('.dockerignore', () => {
  const lines = readFileSync(join(workspaceRoot, '.dockerignore'), 'utf8').split('\n');

  it.each(['.env', '.tokone', '.git', '**/node_modules', '**/dist'])('keeps %s out of what is built from', (path) => {
    expect(lines).toContain(path);
  });

  it('leaves in what the compiler builds: every project that the root tsconfig.json names', () => {
    const { references } = JSON.parse(readFileSync(join(workspaceRoot, 'tsconfig.json'), 'utf8')) as { references: { path: string }[] };
    const left = new Set(lines.map((line) => line.replace(/\/\*$/, '')));
    expect(references.map(({ path }) => path).filter((path) => left.has(path) || left.has(path.split('/')[0] ?? ''))).toEqual([]);
  });
});

describe('the health check', () => {
  let child: ChildProcess | undefined;
  afterEach(() => void child?.kill('SIGKILL'));

  async function checkAgainst(status: number | undefined): Promise<number> {
    const paths: (string | undefined)[] = [];
    const server = createServer(({ url }, response) => {
      paths.push(url);
      response.writeHead(status ?? 500).end();
    });
    await once(server.listen(0, '127.0.0.1'), 'listening');
    const { port } = server.address() as AddressInfo;
    // A port that nobody listens on: just released.
    if (status === undefined) await new Promise((resolve) => server.close(resolve));
    const [, ...args] = execForm(textsOf(runtime, 'HEALTHCHECK').join()) ?? [];
    child = spawn(process.execPath, args, { env: { MANAGEMENT_PORT: String(port) }, stdio: 'ignore' });
    const [code] = (await once(child, 'exit')) as [number];
    if (status !== undefined) await new Promise((resolve) => server.close(resolve).closeAllConnections());
    expect(paths).toEqual(status === undefined ? [] : ['/health/ready']);
    return code;
  }

  it.each<[string, number | undefined, number]>([
    ['passes while the service is ready', 200, 0],
    ['fails while it is not', 503, 1],
    ['fails when nobody listens', undefined, 1],
  ])('%s', async (_title, status, code) => {
    expect(await checkAgainst(status)).toBe(code);
  });
});
