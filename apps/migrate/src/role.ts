import { StartupError } from '@tokone/persistence';

/** User and password of a service's database address. @throws StartupError when one is missing. */
export function roleOf(url: string): { name: string; password: string } {
  const { username, password } = new URL(url);
  if (username === '' || password === '') throw new StartupError('A database address of a service lacks the user or the password that are to be made: postgres://user:password@host/database.');
  return { name: decodeURIComponent(username), password: decodeURIComponent(password) };
}
