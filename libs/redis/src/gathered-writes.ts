import type { Socket } from 'node:net';

/**
 * What is written to a socket in one turn of the event loop leaves in one system call, at the end of that turn. A gateway
 * under load asks Redis for several requests in a turn, and each write of its own costs more than the script behind it.
 */
export function gatherWrites(socket: Socket): void {
  const write = socket.write.bind(socket) as (...args: unknown[]) => boolean;
  let gathering = false;
  const release = (): void => {
    gathering = false;
    socket.uncork();
  };
  socket.write = (...args: unknown[]): boolean => {
    if (!gathering) {
      gathering = true;
      socket.cork();
      setImmediate(release);
    }
    return write(...args);
  };
}
