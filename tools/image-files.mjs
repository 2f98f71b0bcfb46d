// What an image holds, once for deploy/Dockerfile and for the tests:
//   node tools/image-files.mjs packages FOLDER    the production packages, the same for every image
//   node tools/image-files.mjs app NAME FOLDER    apps/NAME, the libs that it needs, and the links that lead to them
import { copyFileSync, existsSync, linkSync, mkdirSync, readdirSync, readFileSync, symlinkSync } from 'node:fs';
import { dirname, join, relative } from 'node:path';
import { isMain, Refusal, runScript, workspaceRoot } from './workspace.mjs';

/**
 * @typedef {{ dev?: boolean, optional?: boolean, devOptional?: boolean, link?: boolean, resolved?: string }} LockedPackage
 * @typedef {Record<string, LockedPackage>} LockedPackages by path
 */

/** Types, source maps and the compiler's notes are for whoever develops. */
const unneeded = /\.(d\.[cm]?ts|map|tsbuildinfo)$/;
/** Sources of packages, which run what they were compiled to. */
const unneededInPackages = /\.(d\.[cm]?ts|[cm]?ts|tsx|map|tsbuildinfo|flow)$/;
const onlyForTests = /^fixtures$|\.contract\.js$/;

/**
 * The packages that `npm ci --omit=dev --omit=optional` would install.
 * @param {string} root
 * @returns {string[]} paths like `node_modules/a/node_modules/b`
 */
export function imagePackages(root) {
  const isNeeded = (/** @type {[string, LockedPackage]} */ [path, entry]) =>
    path.startsWith('node_modules/') && !entry.link && !entry.dev && !entry.optional && !entry.devOptional;
  return Object.entries(lockedPackages(root)).filter(isNeeded).map(([path]) => path);
}

/**
 * @param {string} root
 * @param {string} app
 * @returns {Map<string, string>} name → folder of the app and of every lib that it needs, directly or not
 */
export function imageProjects(root, app) {
  const folders = new Map();
  for (const [path, { link, resolved }] of Object.entries(lockedPackages(root))) {
    if (link && resolved !== undefined) folders.set(path.slice('node_modules/'.length), resolved);
  }
  const found = new Map();
  const visit = (/** @type {string} */ folder) => {
    const { name, dependencies = {} } = JSON.parse(readFileSync(join(root, folder, 'package.json'), 'utf8'));
    if (found.has(name)) return;
    found.set(name, folder);
    for (const wanted of Object.keys(dependencies)) if (folders.has(wanted)) visit(folders.get(wanted));
  };
  if (app === '' || !existsSync(join(root, 'apps', app, 'package.json'))) throw new Refusal(`There is no program apps/${app}: say --build-arg APP=gateway, or another folder below apps/.`);
  visit(`apps/${app}`);
  return found;
}

/**
 * @param {string} root
 * @param {string} out becomes `node_modules` of the image
 */
export function copyPackages(root, out) {
  for (const path of imagePackages(root)) {
    if (!existsSync(join(root, path, 'package.json'))) throw new Refusal(`${path} is not installed: run npm ci first.`);
    const isWanted = (/** @type {string} */ name) => name !== 'node_modules' && !unneededInPackages.test(name);
    eachFile(join(root, path), isWanted, (inside) => link(join(root, path, inside), join(out, relative('node_modules', path), inside)));
  }
}

/**
 * @param {{ root: string, app: string, out: string }} options
 */
export function copyApp({ root, app, out }) {
  for (const [name, folder] of imageProjects(root, app)) {
    if (!existsSync(join(root, folder, 'dist'))) throw new Refusal(`${folder} is not built: run npm run build first.`);
    const [from, to] = [join(root, folder), join(out, folder)];
    copy(join(from, 'package.json'), join(to, 'package.json'));
    const isWanted = (/** @type {string} */ file) => !unneeded.test(file) && !onlyForTests.test(file);
    eachFile(join(from, 'dist'), isWanted, (inside) => copy(join(from, 'dist', inside), join(to, 'dist', inside)));
    const way = join(out, 'node_modules', name);
    mkdirSync(dirname(way), { recursive: true });
    if (!existsSync(way)) symlinkSync(relative(dirname(way), to), way);
  }
  copy(join(root, 'LICENSE'), join(out, 'LICENSE'));
}

/**
 * @param {string} root
 * @returns {LockedPackages}
 */
function lockedPackages(root) {
  return JSON.parse(readFileSync(join(root, 'package-lock.json'), 'utf8')).packages;
}

/**
 * @param {string} folder
 * @param {(name: string) => boolean} isWanted asked for every folder and file, by its own name
 * @param {(inside: string) => void} use gets the path below the folder
 */
function eachFile(folder, isWanted, use) {
  for (const entry of readdirSync(folder, { withFileTypes: true })) {
    if (!isWanted(entry.name)) continue;
    if (entry.isDirectory()) eachFile(join(folder, entry.name), isWanted, (inside) => use(join(entry.name, inside)));
    else if (entry.isFile()) use(entry.name);
  }
}

/**
 * A second name for a file of a package, which nobody writes to, where both stand on one file system: 50 MB less to copy.
 * @param {string} from
 * @param {string} to
 */
function link(from, to) {
  mkdirSync(dirname(to), { recursive: true });
  if (existsSync(to)) return;
  try {
    linkSync(from, to);
  } catch {
    copyFileSync(from, to);
  }
}

/**
 * A compiler that runs meanwhile writes to its files, not to this one.
 * @param {string} from
 * @param {string} to
 */
function copy(from, to) {
  mkdirSync(dirname(to), { recursive: true });
  copyFileSync(from, to);
}

if (isMain(import.meta.url)) {
  await runScript(async () => {
    const [kind, first = '', second = ''] = process.argv.slice(2);
    if (kind === 'packages' && first !== '') copyPackages(workspaceRoot, first);
    else if (kind === 'app' && second !== '') copyApp({ root: workspaceRoot, app: first, out: second });
    else throw new Refusal('Say what is wanted: packages FOLDER, or app NAME FOLDER.');
    return 0;
  });
}
