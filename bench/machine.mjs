// What the operating system tells: of processes, disks, ports and of the machine itself.

import fs from 'node:fs';
import net from 'node:net';
import os from 'node:os';
import { once } from 'node:events';
import { execFileSync } from 'node:child_process';
import { fail } from './failure.mjs';

const TMPFS_MAGIC = 0x01021994;
const GIB = 2 ** 30;

// Peak resident memory of a process in bytes.
export function peakRss(pid) {
    const status = fs.readFileSync(`/proc/${pid}/status`, 'utf8');
    return Number(/VmHWM:\s+(\d+) kB/.exec(status)[1]) * 1024;
}

// Bytes that were written to the disk of a folder since the system started, with everything that
// the kernel still held for it; null where the disk does not tell. The disk counts for all who
// write to it: the machine has to be idle. (/proc/PID/io counts a whole folio of the page cache,
// which may be large, for each page of it that is overwritten.)
export function writtenBytes(folder) {
    const { dev } = fs.statSync(folder);
    const major = (dev >>> 8) & 0xfff;
    const minor = (dev & 0xff) | ((dev >>> 12) & 0xfff00);
    try {
        execFileSync('sync', ['-f', folder]);
        const stat = fs.readFileSync(`/sys/dev/block/${major}:${minor}/stat`, 'utf8');
        return Number(stat.trim().split(/\s+/)[6]) * 512;
    } catch {
        return null;
    }
}

export function folderBytes(folder) {
    let total = 0;
    for (const entry of fs.readdirSync(folder, { withFileTypes: true, recursive: true })) {
        if (!entry.isFile()) continue;
        total += fs.statSync(`${entry.parentPath ?? entry.path}/${entry.name}`).blocks * 512;
    }
    return total;
}

// Fails unless the folder's disk has that much room.
export function needRoom(folder, gib, what) {
    const { bavail, bsize } = fs.statfsSync(folder);
    const free = bavail * bsize / GIB;
    if (free < gib) {
        fail(`${what}: the disk of ${folder} has ${free.toFixed(1)} GiB free of the ${gib} ` +
            'that are needed (--dir takes another one)');
    }
}

export function isFull(folder) {
    const { bavail, bsize } = fs.statfsSync(folder);
    return bavail * bsize < 0.05 * GIB;
}

export function isInMemory(folder) {
    return fs.statfsSync(folder).type === TMPFS_MAGIC;
}

async function listenOn(port) {
    const listener = net.createServer();
    listener.listen(port, '127.0.0.1');
    await once(listener, 'listening');
    const taken = listener.address().port;
    listener.close();
    await once(listener, 'close');
    return taken;
}

// Ports from `base` on, which have to be free, or any free ones.
export class Ports {
    constructor(base) {
        this.next = base;
    }

    async take() {
        if (this.next === null) return listenOn(0);
        const port = this.next++;
        try {
            return await listenOn(port);
        } catch (error) {
            if (error.code !== 'EADDRINUSE') throw error;
            return fail(`port ${port} is taken`);
        }
    }

    // A server that was stopped has given its port back.
    give(port) {
        if (this.next === port + 1) this.next = port;
    }
}

function firstLine(binary, args) {
    try {
        return execFileSync(binary, args, { encoding: 'utf8' }).trim().split('\n')[0];
    } catch {
        return null;
    }
}

// Sentences for the head of the results. `versions` are those of the servers.
export function describeMachine(folder, versions) {
    const cpus = os.cpus();
    const disk = firstLine('findmnt', ['-n', '-o', 'FSTYPE,SOURCE', '--target', folder]);
    return {
        name: `${cpus[0].model.split('@')[0].replace(/\(R\)|\(TM\)|CPU|Processor/g, '').trim()}` +
            `, ${cpus.length} cores`,
        facts: [
            `${cpus.length} cores of ${cpus[0].model.trim()}, ` +
                `${Math.round(os.totalmem() / GIB)} GiB of memory`,
            `Linux ${os.release()}; disk: ${(disk ?? 'unknown').replace(/\s+/g, ' on ')}`,
            versions.join('; '),
        ],
    };
}

export function versionOf(binary) {
    return firstLine(binary, ['--version']);
}

// Has the kernel forget what it keeps of a folder's files in memory. dd's way of asking for that
// works for whoever may read them.
export function dropPages(folder) {
    for (const entry of fs.readdirSync(folder, { withFileTypes: true, recursive: true })) {
        if (!entry.isFile()) continue;
        const file = `${entry.parentPath ?? entry.path}/${entry.name}`;
        firstLine('dd', [`if=${file}`, 'iflag=nocache', 'count=0', 'status=none']);
    }
}
