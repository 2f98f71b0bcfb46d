// After the last spec on real parts: no server and no file of a server stays.
export default async function tearDown() {
  await Reflect.get(globalThis, Symbol.for('tokone.test-servers'))();
}
