// What the walks with web clients share.
//
// Owns: serving a built page, starting Chromium, a picture to send, the words in which a walk tells what it saw. Does not own: the walks
// (web/walk.mjs, hydrogen/walk.mjs) and their packages: whoever launches brings its own playwright-core.

import { createServer } from "node:http";
import { readFile } from "node:fs/promises";
import { extname, join } from "node:path";
import { deflateSync } from "node:zlib";

const TYPES = { ".css": "text/css", ".html": "text/html", ".js": "text/javascript", ".svg": "image/svg+xml", ".wasm": "application/wasm" };

/** The page, from another origin than the server's. */
export async function serve(folder) {
    const server = createServer(async (request, response) => {
        const path = new URL(request.url, "http://here").pathname;
        try {
            const file = join(folder, path === "/" ? "index.html" : path);
            const body = await readFile(file);
            response.writeHead(200, { "Content-Type": TYPES[extname(file)] ?? "application/octet-stream" });
            response.end(body);
        } catch {
            response.writeHead(404).end();
        }
    });
    await new Promise((resolve) => server.listen(0, "127.0.0.1", resolve));
    return { server, address: `http://127.0.0.1:${server.address().port}/` };
}

export function launch(chromium) {
    return chromium.launch({
        executablePath: process.env.CHROMIUM ?? "/usr/bin/chromium",
        args: ["--no-sandbox", "--disable-gpu", "--disable-background-networking", "--disable-component-update"],
    });
}

/** A picture that a decoder must take: a square of one colour. */
export function png(side = 64) {
    const crcTable = Array.from({ length: 256 }, (_, n) => {
        for (let k = 0; k < 8; k++) n = n & 1 ? 0xedb88320 ^ (n >>> 1) : n >>> 1;
        return n >>> 0;
    });
    const crc = (bytes) => {
        let value = 0xffffffff;
        for (const byte of bytes) value = crcTable[(value ^ byte) & 255] ^ (value >>> 8);
        return (value ^ 0xffffffff) >>> 0;
    };
    const chunk = (type, data) => {
        const body = Buffer.concat([Buffer.from(type, "latin1"), data]);
        const frame = Buffer.alloc(8);
        frame.writeUInt32BE(data.length);
        frame.writeUInt32BE(crc(body), 4);
        return Buffer.concat([frame.subarray(0, 4), body, frame.subarray(4)]);
    };
    const header = Buffer.alloc(13);
    header.writeUInt32BE(side, 0);
    header.writeUInt32BE(side, 4);
    header.set([8, 2, 0, 0, 0], 8);
    const row = Buffer.concat([Buffer.from([0]), Buffer.alloc(side * 3, 0x66)]);
    const data = deflateSync(Buffer.concat(Array.from({ length: side }, () => row)));
    const signature = Buffer.from([0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a]);
    return Buffer.concat([signature, chunk("IHDR", header), chunk("IDAT", data), chunk("IEND", Buffer.alloc(0))]);
}

/** A screenshot, when the environment says where to keep them. */
export function picture(page, name) {
    const pictures = process.env.PICTURES;
    return pictures && page.screenshot({ path: join(pictures, `${name}.png`) });
}

export function check(holds, what) {
    if (!holds) throw new Error(`not so: ${what}`);
}

export function seen(what) {
    console.log(`seen: ${what}`);
}
