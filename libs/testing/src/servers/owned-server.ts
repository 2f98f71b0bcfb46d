import { GuardedProcess, type ServerExit, type ServerProgram } from './guarded-process.js';

const STOP_MS = 15_000;

/** A server that belongs to whoever started it: to be used, and to be harmed. */
export interface OwnedServer {
  /** Of the server itself. Undefined in a container, and while it does not run. */
  readonly processId: number | undefined;
  /** Of a process of this machine: resolves when the present one is gone, asked to or not. */
  readonly exited?: Promise<ServerExit> | undefined;
  /** Where such a process says why. */
  readonly logFile?: string;
  /** SIGKILL; resolves when the process is gone. */
  kill(): Promise<void>;
  /** SIGTERM, and SIGKILL after 15 s; resolves when the process is gone. Harmless when repeated. */
  stop(): Promise<void>;
  /** SIGSTOP: it keeps its sockets and answers nothing. */
  pause(): Promise<void>;
  resume(): Promise<void>;
  /** Again, on the same ports and folder; resolves when it answers its clients. */
  start(): Promise<void>;
  /** Ends it at once and for good: its data is thrown away. */
  discard(): Promise<void>;
}

export interface LocalServerOptions {
  program: ServerProgram;
  isReady: () => Promise<boolean>;
  startTimeoutMs: number;
}

/** A server that is a process of this machine. */
export class LocalServer implements OwnedServer {
  private process: GuardedProcess | undefined;

  constructor(private readonly options: LocalServerOptions) {}

  get processId(): number | undefined {
    return this.process?.running === true ? this.process.processId : undefined;
  }

  get exited(): Promise<ServerExit> | undefined {
    return this.process?.exited;
  }

  get logFile(): string {
    return this.options.program.logFile;
  }

  /** Without waiting until it serves, for servers that become ready only together. */
  async launch(): Promise<void> {
    if (this.process?.running === true) throw new Error(`${this.options.program.title} runs already.`);
    this.process = await GuardedProcess.start(this.options.program);
  }

  async untilReady(): Promise<void> {
    await this.process?.untilReady(this.options.isReady, this.options.startTimeoutMs);
  }

  async start(): Promise<void> {
    await this.launch();
    await this.untilReady();
  }

  async kill(): Promise<void> {
    await this.process?.kill();
  }

  async discard(): Promise<void> {
    await this.kill();
  }

  async stop(): Promise<void> {
    await this.process?.stop(STOP_MS);
  }

  async pause(): Promise<void> {
    this.process?.signal('SIGSTOP');
  }

  async resume(): Promise<void> {
    this.process?.signal('SIGCONT');
  }
}
