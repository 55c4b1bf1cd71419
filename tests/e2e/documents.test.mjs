// What README.md says there is, and what there is: options, commands, tests.

import assert from 'node:assert/strict';
import fs from 'node:fs';
import test from 'node:test';
import { fileURLToPath } from 'node:url';
import { ONLY_WEIR, Process, WEIR_SERVER, weir } from './lib/server.mjs';

const pathOf = (name) => fileURLToPath(new URL(name, import.meta.url));
const README = fs.readFileSync(pathOf('../../README.md'), 'utf8');

// Words in the section on commands that are options of one.
const OPTION_WORDS = ['ACKED', 'AT', 'CLAIM', 'DELAY', 'DELREF', 'EX', 'EXAT', 'IFDEQ', 'IFDNE',
    'IFEQ', 'IFNE', 'KEEPREF', 'KEEPTTL', 'NX', 'PX', 'PXAT', 'XX'];

// Too long for a cell: the text behind the table has it.
const DEFAULTS_BEHIND = { 'client-output-buffer-limit': 'see below', '""': 'none' };

function between(start, end) {
    const from = README.indexOf(start);
    const to = README.indexOf(end, from);
    assert.ok(from >= 0 && to > from, `README.md has no ${start} before ${end}`);
    return README.slice(from, to);
}

test('the table of options has those of --help, their defaults, and when they change', ONLY_WEIR,
    async () => {
        const { output } = await new Process(WEIR_SERVER, ['--help']).ended;
        const told = [...output.matchAll(/^([* ]) --([a-z-]+) +(.*)$/gm)].map(
            ([, star, name, value]) => [name, star === '*' ? '' : '*',
                DEFAULTS_BEHIND[name] ?? DEFAULTS_BEHIND[value] ?? value]);
        const table = between('| option | default', 'Options with a * are set at the start');
        const written = [...table.matchAll(/^\| `([a-z-]+)` ?(\*?) \| `?(.*?)`? \|/gm)].map(
            ([, name, star, value]) => [name, star, value]);
        assert.ok(told.length > 20);
        assert.deepEqual(written.sort(), told.sort());
    });

test('the section on commands has all there are, and no others', ONLY_WEIR, async (t) => {
    const server = await weir(t);
    const client = await server.connect();
    t.after(() => client.destroy());
    const words = new Set([...between('## Commands', 'What `EXEC` writes').matchAll(/`([A-Z.\- ]+)`/g)]
        .flatMap(([, text]) => text.split(' ')));
    const rows = await client.ok('COMMAND', 'INFO');
    const commands = rows.map(([name]) => name.toUpperCase());
    const subcommands = rows.flatMap((row) => row[9])
        .map(([name]) => name.split('|')[1].toUpperCase());
    assert.ok(commands.length > 100 && subcommands.length > 30);
    const missing = [...commands, ...subcommands].filter((name) => !words.has(name));
    assert.deepEqual(missing, [], 'not in README.md');
    const there = new Set([...commands, ...subcommands, ...OPTION_WORDS]);
    assert.deepEqual([...words].filter((word) => !there.has(word)), [], 'only in README.md');
});

test('every file of tests has its row', () => {
    const text = fs.readFileSync(pathOf('README.md'), 'utf8');
    const rows = [...text.matchAll(/^\| `([a-z_]+\.test\.mjs)` \|/gm)].map(([, name]) => name);
    const files = fs.readdirSync(pathOf('.')).filter((name) => name.endsWith('.test.mjs'));
    assert.deepEqual(rows.sort(), files.sort());
});
