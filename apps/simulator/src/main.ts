import { Lifeline, readSimulatorSettings, startSimulator } from '@tokone/simulator';

async function main(): Promise<void> {
  const settings = readSimulatorSettings(process.env);
  const exit = (): never => process.exit(0);
  process.on('SIGTERM', exit);
  const lifeline = settings.orphanExitMs === undefined ? undefined : new Lifeline(settings.orphanExitMs, exit);
  if (lifeline) {
    // Whoever holds standard input decides when this ends. A Ctrl-C reaches the whole process group, and a gateway
    // that drains still needs its provider.
    process.on('SIGINT', () => undefined);
    for (const event of ['end', 'close', 'error']) process.stdin.on(event, () => lifeline.orphaned());
    process.stdin.resume();
    // The reader of standard output may be gone before this process.
    process.stdout.on('error', () => undefined);
  }
  const simulator = await startSimulator({ ...settings, onShutdown: exit, onLifeline: () => lifeline?.renew() });
  process.stdout.write(`${JSON.stringify({ event: 'listening', url: simulator.url })}\n`);
}

main().catch((error: unknown) => {
  process.stderr.write(`The simulator could not start: ${sentenceOf(error)}\n`);
  process.exit(1);
});

function sentenceOf(error: unknown): string {
  const { code, message } = error as NodeJS.ErrnoException;
  if (code === 'EADDRINUSE') return 'another process listens on that PORT; choose another or none.';
  return code === 'EACCES' ? 'this user may not listen on that PORT.' : message;
}
