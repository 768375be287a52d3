// Secret storage as another client of the same person would have set it up: Hydrogen opens it, and cannot make it.
//
// Owns: cross-signing keys, a key backup, and both in secret storage under a phrase (client-server API, "Secrets", "Cross-signing",
// "Server-side key backups"). Does not own: who uses them.

import { createCipheriv, createHmac, hkdfSync, pbkdf2Sync, randomBytes } from "node:crypto";
import Olm from "@matrix-org/olm";

const ITERATIONS = 1000;

/** `AES-256-CTR` and `HMAC-SHA-256` with keys that are derived for the name of the secret. */
function encrypt(key, name, plaintext) {
    const keys = Buffer.from(hkdfSync("sha256", key, Buffer.alloc(32), name, 64));
    const iv = randomBytes(16);
    iv[8] &= 0x7f;
    const cipher = createCipheriv("aes-256-ctr", keys.subarray(0, 32), iv);
    const ciphertext = Buffer.concat([cipher.update(plaintext), cipher.final()]);
    const mac = createHmac("sha256", keys.subarray(32)).update(ciphertext).digest("base64");
    return { iv: iv.toString("base64"), ciphertext: ciphertext.toString("base64"), mac };
}

function unpadded(bytes) {
    return Buffer.from(bytes).toString("base64").replace(/=+$/, "");
}

/** The three keys, and their seeds as they are stored. The properties are in the order of canonical JSON. */
function crossSigning(user) {
    const seeds = {};
    const keys = {};
    const master = new Olm.PkSigning();
    for (const usage of ["master", "self_signing", "user_signing"]) {
        const signing = usage === "master" ? master : new Olm.PkSigning();
        const seed = signing.generate_seed();
        const name = `ed25519:${signing.init_with_seed(seed)}`;
        const key = { keys: { [name]: name.slice("ed25519:".length) }, usage: [usage], user_id: user };
        if (usage !== "master") {
            const by = Object.keys(keys.master_key.keys)[0];
            key.signatures = { [user]: { [by]: master.sign(JSON.stringify(key)) } };
        }
        seeds[`m.cross_signing.${usage}`] = unpadded(seed);
        keys[`${usage}_key`] = key;
    }
    return { seeds, keys };
}

/** Everything under the phrase. `ask` sends a request of the person's: method, path, body. */
export async function setUpSecrets(user, phrase, ask) {
    await Olm.init();
    const { seeds, keys } = crossSigning(user);
    await ask("POST", "keys/device_signing/upload", keys);
    const backup = new Olm.PkDecryption();
    const auth_data = { public_key: backup.generate_key(), signatures: {} };
    await ask("POST", "room_keys/version", { algorithm: "m.megolm_backup.v1.curve25519-aes-sha2", auth_data });

    const salt = unpadded(randomBytes(24));
    const key = pbkdf2Sync(phrase, salt, ITERATIONS, 32, "sha512");
    const { iv, mac } = encrypt(key, "", Buffer.alloc(32));
    const passphrase = { algorithm: "m.pbkdf2", iterations: ITERATIONS, salt, bits: 256 };
    const description = { algorithm: "m.secret_storage.v1.aes-hmac-sha2", passphrase, iv, mac };
    const keep = (type, content) => ask("PUT", `user/${encodeURIComponent(user)}/account_data/${type}`, content);
    await keep("m.secret_storage.key.phrase", description);
    const secrets = { ...seeds, "m.megolm_backup.v1": unpadded(backup.get_private_key()) };
    for (const [name, secret] of Object.entries(secrets)) {
        await keep(name, { encrypted: { phrase: encrypt(key, name, secret) } });
    }
    await keep("m.secret_storage.default_key", { key: "phrase" });
}
