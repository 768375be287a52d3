// A small web client: one person in one browser. What it shows is what the walk (walk.mjs) looks at.
//
// Owns: the page. Does not own: the protocol, which is matrix-js-sdk's with its encryption in WebAssembly.

import {
    ClientEvent,
    createClient,
    EventType,
    IndexedDBStore,
    KnownMembership,
    MatrixEventEvent,
    MsgType,
    Preset,
    RoomEvent,
    RoomMemberEvent,
} from "matrix-js-sdk";
import { CryptoEvent, VerificationPhase, VerificationRequestEvent, VerifierEvent } from "matrix-js-sdk/lib/crypto-api";
import { decodeRecoveryKey } from "matrix-js-sdk/lib/crypto-api";

const $ = (id) => document.getElementById(id);
const SESSION = "session";

let client;
let open;
let request;
let recoveryKey;

function failed(error) {
    console.error("failed:", error);
    $("crypto").textContent = `failed: ${error}`;
}

/** An event handler whose failure is shown. */
const doing = (handler) => (event) => {
    event?.preventDefault?.();
    Promise.resolve(handler(event)).catch(failed);
};

async function logIn(form) {
    const { homeserver, user, password } = Object.fromEntries(new FormData(form));
    const stranger = createClient({ baseUrl: homeserver });
    const session = await stranger.loginRequest({
        type: "m.login.password",
        identifier: { type: "m.id.user", user },
        password,
        initial_device_display_name: "A small client",
    });
    localStorage.setItem(SESSION, JSON.stringify({ homeserver, ...session }));
    await start();
}

async function start() {
    const session = JSON.parse(localStorage.getItem(SESSION));
    const store = new IndexedDBStore({ indexedDB, localStorage, dbName: "client" });
    client = createClient({
        baseUrl: session.homeserver,
        accessToken: session.access_token,
        userId: session.user_id,
        deviceId: session.device_id,
        store,
        cryptoCallbacks: {
            getSecretStorageKey: async ({ keys }) => [Object.keys(keys)[0], recoveryKey],
            cacheSecretStorageKey: (_id, _info, key) => (recoveryKey = key),
        },
    });
    await store.startup();
    await client.initRustCrypto();
    listen();
    await client.startClient({ initialSyncLimit: 5, lazyLoadMembers: true, threadSupport: true });
    $("login").hidden = true;
    $("me").textContent = session.user_id;
    // Who writes before this device has published its keys writes past it.
    while (!(await hasPublished(session))) await new Promise((resolve) => setTimeout(resolve, 50));
    $("crypto").textContent = "keys are published";
}

async function hasPublished({ user_id: user, device_id: device }) {
    const devices = await client.getCrypto().getUserDeviceInfo([user], true);
    return devices.get(user)?.has(device) ?? false;
}

function listen() {
    client.on(ClientEvent.Sync, (state) => ($("sync").textContent = state));
    for (const event of [ClientEvent.Room, RoomEvent.MyMembership, RoomEvent.Name, RoomEvent.Timeline, RoomEvent.Receipt]) {
        client.on(event, draw);
    }
    client.on(RoomMemberEvent.Membership, draw);
    client.on(RoomEvent.Redaction, draw);
    client.on(MatrixEventEvent.Decrypted, draw);
    client.on(MatrixEventEvent.Replaced, draw);
    client.on("User.presence", draw);
    client.on(RoomMemberEvent.Typing, () => {
        const typists = open ? room().currentState.getMembers().filter((member) => member.typing) : [];
        $("typing").textContent = typists.map((member) => `${member.name} is typing`).join(", ");
    });
    client.on(CryptoEvent.VerificationRequestReceived, (received) => follow(received));
    client.on(CryptoEvent.UserTrustStatusChanged, draw);
}

const room = () => client.getRoom(open);

function draw() {
    const rooms = client.getVisibleRooms().filter((one) => one.getMyMembership() !== KnownMembership.Leave);
    $("rooms").replaceChildren(
        ...rooms.map((one) => {
            const item = document.createElement("li");
            item.textContent = `${one.name} (${one.getUnreadNotificationCount()})`;
            item.dataset.room = one.roomId;
            item.dataset.membership = one.getMyMembership();
            item.className = one.roomId === open ? "open" : "";
            item.onclick = doing(() => show(one.roomId));
            return item;
        }),
    );
    if (open && room()) drawRoom();
}

function show(id) {
    open = id;
    draw();
}

function drawRoom() {
    $("room").textContent = room().name;
    $("accept").hidden = room().getMyMembership() !== KnownMembership.Invite;
    $("members").textContent = room()
        .getJoinedMembers()
        .map((member) => `${member.name} (${client.getUser(member.userId)?.presence ?? "unknown"})`)
        .join(", ");
    const events = room().getLiveTimeline().getEvents();
    const messages = events.filter((event) =>
        [EventType.RoomMessage, EventType.RoomMessageEncrypted].includes(event.getType()) && !event.isRelation("m.replace"),
    );
    $("timeline").replaceChildren(...messages.map(drawMessage));
}

const pictures = new Map();

function drawMessage(event) {
    const item = document.createElement("li");
    const content = event.getContent();
    const text = event.isRedacted() ? "(deleted)" : (content.body ?? "(cannot be read)");
    const read = room().getUsersReadUpTo(event).filter((user) => user !== event.getSender());
    item.textContent = `${event.sender?.name ?? event.getSender()}: ${text}`;
    item.dataset.text = text;
    item.dataset.encrypted = String(event.isEncrypted());
    item.dataset.readBy = read.join(" ");
    if (!event.isRedacted() && content.msgtype === MsgType.Image && content.url) {
        const picture = document.createElement("img");
        picture.alt = content.body;
        if (!pictures.has(content.url)) pictures.set(content.url, fetchPicture(content.url));
        pictures.get(content.url).then((address) => (picture.src = address), failed);
        item.append(picture);
    }
    return item;
}

/** Through the authenticated endpoint, which an <img> cannot ask. */
async function fetchPicture(mxc) {
    const url = client.mxcUrlToHttp(mxc, 96, 96, "scale", false, true, true);
    const answer = await fetch(url, { headers: { Authorization: `Bearer ${client.getAccessToken()}` } });
    if (!answer.ok) throw new Error(`the picture: ${answer.status}`);
    return URL.createObjectURL(await answer.blob());
}

async function newChat() {
    const { room_id: id } = await client.createRoom({
        preset: Preset.TrustedPrivateChat,
        is_direct: true,
        invite: [$("whom").value],
        initial_state: [
            { type: EventType.RoomEncryption, state_key: "", content: { algorithm: "m.megolm.v1.aes-sha2" } },
        ],
    });
    show(id);
}

async function sendFile(file) {
    const { content_uri: url } = await client.uploadContent(file);
    await client.sendMessage(open, {
        msgtype: MsgType.Image,
        body: file.name,
        url,
        info: { mimetype: file.type, size: file.size },
    });
}

/** Shows how far a verification is, whoever began it. */
function follow(begun) {
    request = begun;
    let accepted = begun.initiatedByMe;
    const changed = doing(async () => {
        if (request.phase === VerificationPhase.Requested && !accepted) {
            accepted = true;
            await request.accept();
        }
        $("begin").hidden = request.phase !== VerificationPhase.Ready;
        if (request.phase === VerificationPhase.Started && request.verifier) compare(request.verifier);
        if (request.phase === VerificationPhase.Done) $("verified").textContent = "verified";
    });
    request.on(VerificationRequestEvent.Change, changed);
    changed();
}

const compared = new WeakSet();

function compare(verifier) {
    if (compared.has(verifier)) return;
    compared.add(verifier);
    const showSas = (callbacks) => {
        $("emoji").textContent = callbacks.sas.emoji.map(([symbol]) => symbol).join(" ");
        $("match").hidden = false;
        $("match").onclick = doing(() => callbacks.confirm());
    };
    verifier.on(VerifierEvent.ShowSas, showSas);
    const shown = verifier.getShowSasCallbacks();
    if (shown) showSas(shown);
    verifier.verify().catch(failed);
}

async function verifyOther() {
    const other = room().getJoinedMembers().find((member) => member.userId !== client.getUserId());
    follow(await client.getCrypto().requestVerificationDM(other.userId, open));
}

/** The first upload of cross-signing keys asks for nothing (client-server API, "POST /keys/device_signing/upload"). */
async function setUpRecovery() {
    const crypto = client.getCrypto();
    await crypto.bootstrapCrossSigning({ authUploadDeviceSigningKeys: (upload) => upload(null) });
    await crypto.bootstrapSecretStorage({
        createSecretStorageKey: async () => {
            const made = await crypto.createRecoveryKeyFromPassphrase();
            recoveryKey = made.privateKey;
            $("key").dataset.key = made.encodedPrivateKey;
            return made;
        },
        setupNewKeyBackup: true,
    });
    const kept = new Promise((resolve) =>
        client.on(CryptoEvent.KeyBackupSessionsRemaining, (remaining) => remaining === 0 && resolve()),
    );
    await crypto.checkKeyBackupAndEnable();
    await kept;
    $("key").textContent = $("key").dataset.key;
}

async function recover() {
    recoveryKey = decodeRecoveryKey($("recovery").value);
    const crypto = client.getCrypto();
    // The private keys are held against the public ones, so these are asked for first.
    await crypto.userHasCrossSigningKeys(client.getUserId(), true);
    await crypto.bootstrapCrossSigning({});
    await crypto.loadSessionBackupPrivateKeyFromSecretStorage();
    await crypto.checkKeyBackupAndEnable();
    const { imported } = await crypto.restoreKeyBackup();
    $("crypto").textContent = `recovered ${imported} keys`;
    draw();
}

$("login").onsubmit = doing((event) => logIn(event.target));
$("new").onclick = doing(newChat);
$("accept").onclick = doing(() => client.joinRoom(open).then(draw));
$("older").onclick = doing(() => client.scrollback(room(), 20).then(draw));
$("verify").onclick = doing(verifyOther);
$("begin").onclick = doing(async () => compare(await request.startVerification("m.sas.v1")));
$("backup").onclick = doing(setUpRecovery);
$("recover").onclick = doing(recover);
$("file").onchange = doing((event) => sendFile(event.target.files[0]));
$("composer").oninput = doing(() => client.sendTyping(open, true, 20_000));
$("composer").onsubmit = doing(async (event) => {
    const text = event.target.text.value;
    event.target.reset();
    await client.sendTextMessage(open, text);
});
$("timeline").onclick = doing(async () => {
    const last = room().getLiveTimeline().getEvents().at(-1);
    await client.sendReadReceipt(last);
});

// For what a person does with the keyboard or a menu.
Object.assign(window, { theClient: () => client, show });

if (localStorage.getItem(SESSION)) start().catch(failed);
