import 'reflect-metadata';
import { adapterService } from '@tokone/adapter-kit';
import { anthropicProvider } from '@tokone/anthropic-provider';
import { runService } from '@tokone/service';

const { argv, env: environment, stdin, stdout, stderr } = process;
process.exit(await runService(adapterService(anthropicProvider), { argv: argv.slice(2), environment, stdin, stdout, stderr, now: Date.now }));
