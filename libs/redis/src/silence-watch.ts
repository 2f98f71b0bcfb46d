import type { Socket } from 'node:net';

export interface SilenceWatchOptions {
  /** A connection that owes answers and has said nothing for so long is given up, at most twice as late. */
  silenceMs: number;
  /** Whether answers are owed. */
  owes: () => boolean;
}

/** After a pause of this process its timers come first: the socket is read for so long before it is judged. */
const READ_MS = 100;

/** Watches a connection to its end. What a client of its own offers for this gives up answers that lie in the socket. */
export class SilenceWatch {
  private timer: NodeJS.Timeout | undefined;
  private readBytes = 0;
  /** It owed answers when it was last looked at. */
  private owed = false;

  constructor(
    private readonly socket: Socket,
    private readonly options: SilenceWatchOptions,
  ) {
    socket.once('close', () => clearTimeout(this.timer));
    this.lookLater();
  }

  private lookLater(): void {
    this.readBytes = this.socket.bytesRead;
    this.owed = this.options.owes();
    this.timer = setTimeout(() => {
      this.timer = setTimeout(() => this.judge(), READ_MS);
    }, this.options.silenceMs);
  }

  private judge(): void {
    const { socket, options } = this;
    const silent = socket.bytesRead === this.readBytes;
    if (silent && this.owed && options.owes()) socket.destroy(new Error(`no answer for ${options.silenceMs} ms`));
    else this.lookLater();
  }
}
