// bench/run from outside: what it says when something is wrong, and that it leaves nothing behind.

import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import fs from 'node:fs';
import net from 'node:net';
import path from 'node:path';
import test, { describe } from 'node:test';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { delay } from './lib/connection.mjs';
import { Process, WEIR_SERVER, ONLY_WEIR, makeFolder, removeFolder } from './lib/server.mjs';
import { until } from './lib/waiting.mjs';

const here = path.dirname(fileURLToPath(import.meta.url));
const RUN = path.resolve(here, '../../bench/run');
const CASE = 'append-p16-one-feed';
const SHORT = ['--rounds', '2', '--seconds', '0.1'];

// Runs bench/run with folders of its own: { code, output, data, results }.
async function bench(t, args, environment = {}, data = makeFolder()) {
    const results = makeFolder();
    t.after(() => [data, results].forEach(removeFolder));
    const words = Object.entries({ WEIR_BUILD: path.dirname(WEIR_SERVER), ...environment })
        .map(([name, value]) => `${name}=${value}`);
    const process = new Process('env', [...words, RUN, ...args, '--dir', data, '--out', results]);
    t.after(() => process.stop('SIGKILL'));
    return { process, data, results };
}

async function benchToEnd(t, args, environment, folder) {
    const { process, data, results } = await bench(t, args, environment, folder);
    return { ...(await process.ended), data, results };
}

// A folder on a disk of 64 MB of its own; null where mounting is not allowed.
function smallDisk(t) {
    const folder = makeFolder();
    try {
        execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=64m', 'weir-bench-test', folder],
            { stdio: 'ignore' });
    } catch {
        removeFolder(folder);
        return null;
    }
    t.after(() => execFileSync('umount', [folder]));
    return folder;
}

// Processes whose command line names a folder.
function usersOf(folder) {
    return fs.readdirSync('/proc').filter((name) => /^\d+$/.test(name)).filter((pid) => {
        try {
            return fs.readFileSync(`/proc/${pid}/cmdline`, 'utf8').includes(folder);
        } catch {
            return false;
        }
    });
}

function assertNothingLeft(data) {
    assert.deepEqual(fs.readdirSync(data), []);
    assert.deepEqual(usersOf(data), []);
}

function assertOneLine({ code, output, data }, pattern) {
    assert.equal(code, 1, output);
    const complaints = output.split('\n').filter((line) => line.startsWith('bench: '));
    assert.equal(complaints.length, 1, output);
    assert.match(complaints[0], pattern);
    assert.doesNotMatch(output, /\n\s+at /);
    assertNothingLeft(data);
}

describe('bench', ONLY_WEIR, () => {
    test('an unknown case, server or option is named', async (t) => {
        assertOneLine(await benchToEnd(t, ['no-such-case']), /unknown case no-such-case/);
        assertOneLine(await benchToEnd(t, ['--servers', 'mysql']), /unknown server mysql/);
        assertOneLine(await benchToEnd(t, ['--fast']), /unknown option --fast/);
    });

    test('a port that is taken is named', async (t) => {
        const listener = net.createServer().listen(0, '127.0.0.1');
        await once(listener, 'listening');
        t.after(() => listener.close());
        const { port } = listener.address();
        const how = await benchToEnd(t, [CASE, ...SHORT, '--port-base', String(port)]);
        assertOneLine(how, new RegExp(`port ${port} is taken`));
    });

    test('a peer that fails to start is named with what it said', async (t) => {
        const folder = makeFolder();
        t.after(() => removeFolder(folder));
        const peer = path.join(folder, 'redis-server');
        fs.writeFileSync(peer, '#!/bin/sh\necho "no luck today" >&2\nexit 3\n', { mode: 0o755 });
        const how = await benchToEnd(t, [CASE, ...SHORT, '--servers', 'weir,redis-always'],
            { PATH: `${folder}:${process.env.PATH}` });
        assertOneLine(how, /redis-always did not start: no luck today/);
    });

    test('a disk without room is named', async (t) => {
        const folder = smallDisk(t);
        if (folder === null) return t.skip('mounting is not allowed here');
        assertOneLine(await benchToEnd(t, [CASE, ...SHORT], {}, folder),
            /the disk of .* has 0\.1 GiB free of the 4 that are needed/);
    });

    test('SIGINT stops everything that was started', async (t) => {
        const { process: run, data } = await bench(t, [CASE, '--servers', 'weir,redis-always']);
        // it has a folder there, and a server beside itself: the shell that starts it has neither
        await until(() => fs.readdirSync(data).length > 0 && usersOf(data).length >= 2);
        const { code, output } = await run.stop('SIGINT');
        assert.equal(code, 1, output);
        assert.match(output, /bench: stopped/);
        await delay(100);
        assertNothingLeft(data);
    });

    test('a case yields a table and a chart', async (t) => {
        const { code, output, data, results } = await benchToEnd(t,
            [CASE, ...SHORT, '--servers', 'weir,redis-always']);
        assert.equal(code, 0, output);
        assert.match(output, new RegExp(`\\| ${CASE} \\| weir \\| [\\d,]+ \\|`));
        assert.match(output, /\|\s+\| redis-always \| .*\*\*\d+\.\d\d\*\* \(/);
        assert.deepEqual(fs.readdirSync(results).sort(), ['last-append.svg', 'last.md']);
        const chart = fs.readFileSync(path.join(results, 'last-append.svg'), 'utf8');
        assert.match(chart, /^<svg .*<\/svg>\n$/s);
        assertNothingLeft(data);
    });
});
