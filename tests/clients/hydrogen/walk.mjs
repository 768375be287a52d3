// Two people with Hydrogen in two browsers, against the server at HOMESERVER.
//
// Owns: the walk; each step waits for what the other person sees. Does not own: the places in Hydrogen's page (person.mjs), the browser
// (../browser.mjs), the server (../with_server.py).

import { readFile } from "node:fs/promises";
import { chromium } from "playwright-core";

import { check, launch, png, seen, serve } from "../browser.mjs";
import { homeserver, Person, request } from "./person.mjs";
import { setUpSecrets } from "./secrets.mjs";

async function enter(browser, address) {
    const alice = await Person.open(browser, address, "alice");
    await alice.page.fill("#homeserver", homeserver);
    await alice.signIn("not this one");
    await alice.page.locator(".PasswordLoginView .error").waitFor();
    await alice.picture("wrong-password");
    await alice.signIn();
    await alice.page.locator(".SessionView").waitFor();
    const bob = await Person.logIn(browser, address, "bob");
    for (const person of [alice, bob]) await person.takes(person.named);
    seen("two people are logged in by the form, each in a browser, one after a wrong password");
    return [alice, bob];
}

async function meet(alice, bob) {
    await alice.create("Garden", { topic: "What grows", encrypted: false });
    await alice.invites(bob);
    await bob.inList("Garden").waitFor();
    await bob.opens("Garden");
    await bob.page.locator(".InviteView_roomProfile", { hasText: "Garden" }).waitFor();
    await bob.page.locator(".InviteView_inviter", { hasText: `Alice Liddell (${alice.id}) invited you.` }).waitFor();
    await bob.picture("invited");
    await bob.accepts("Garden");
    await alice.announced("Bob Lee joined the room");
    seen("a room was created, the other was invited to it and accepted");
}

async function talk(alice, bob) {
    await alice.says("good morning");
    const first = await bob.reads("good morning");
    check(!(await first.getAttribute("class")).includes("own"), "it is the other's message");
    await bob.says("and to you");
    await alice.reads("and to you");
    await bob.says("/me waves");
    await alice.reads("* Bob Lee waves");
    seen("messages both ways, and what somebody does");

    await bob.does("good morning", "Reply");
    await bob.page.locator(".MessageComposer_replyPreview", { hasText: "good morning" }).waitFor();
    await bob.says("it is one");
    const reply = await alice.reads("it is one");
    await reply.locator(".ReplyPreviewView", { hasText: "good morning" }).waitFor();
    seen("a reply shows what it answers");

    await alice.reacts("and to you", "👍");
    await bob.reaction("and to you", "👍 1").waitFor();
    await bob.reaction("and to you", "👍 1").click();
    await alice.reaction("and to you", "👍 2").waitFor();
    await alice.reaction("and to you", "👍 2").click();
    await bob.reaction("and to you", "👍 1").waitFor();
    seen("reactions of both are counted, and taken back");

    await alice.picture("talk");
    await bob.picture("talk");
}

async function unread(alice, bob) {
    // Hydrogen says whom a message mentions in its text alone, for which there is no default rule any more: bob has one of his own.
    const rule = { pattern: "bob", actions: ["notify", { set_tweak: "highlight" }] };
    await request("PUT", "pushrules/global/content/bob", rule, await bob.token());
    await bob.settings();
    await alice.says("nobody looks");
    const badge = bob.inList("Garden").locator(".badge");
    await badge.filter({ hasText: /^1$/ }).waitFor();
    check(!(await badge.getAttribute("class")).includes("highlighted"), "an ordinary message");
    await alice.says("bob, are you there?");
    await bob.inList("Garden").locator(".badge.highlighted", { hasText: /^2$/ }).waitFor();
    await bob.picture("unread");
    await bob.opens("Garden");
    await bob.reads("bob, are you there?");
    await badge.waitFor({ state: "hidden" });
    seen("unread messages are counted, a keyword stands out, and reading clears both");
}

async function slip(alice, bob) {
    await alice.says("a slip of the pen");
    await bob.reads("a slip of the pen");
    await alice.does("a slip of the pen", "Delete");
    await bob.reads("This message has been deleted");
    check((await bob.message("a slip of the pen").count()) === 0, "what was deleted is gone");
    seen("a deleted message is gone");
}

async function attachments(alice, bob, room) {
    await alice.attaches("Send picture", { name: `${room}.png`, mimeType: "image/png", buffer: png(1000) });
    const shown = bob.page.locator(`.Timeline_message img[alt='${room}.png']`);
    await shown.waitFor();
    await bob.page.waitForFunction((image) => image.naturalWidth > 0, await shown.elementHandle());
    await shown.click();
    const large = bob.page.locator(".lightbox .picture:not(.hidden)");
    await large.waitFor();
    const side = await large.evaluate(async (element) => {
        const image = new Image();
        image.src = element.style.backgroundImage.slice(5, -2);
        await image.decode();
        return image.naturalWidth;
    });
    check(side === 1000, `the picture is as large as it was sent: ${side}`);
    await bob.picture(`lightbox-${room}`);
    await bob.page.click(".lightbox .close");
    await alice.attaches("Send file", { name: "list.txt", mimeType: "text/plain", buffer: Buffer.from("beans, peas") });
    const [download] = await Promise.all([
        bob.page.waitForEvent("download"),
        bob.page.locator(".Timeline_message button.link", { hasText: "list.txt" }).click(),
    ]);
    check((await readFile(await download.path(), "utf8")) === "beans, peas", "the file came whole");
    seen(`a picture in ${room} is shown small and in full, and a file is saved`);
}

async function profiles(alice, bob) {
    const list = await bob.members();
    await list.locator(".MemberTileView", { hasText: "Bob Lee" }).waitFor();
    await list.locator(".MemberTileView", { hasText: "Alice Liddell" }).locator("a").click();
    const details = bob.page.locator(".MemberDetailsView");
    await details.locator(".MemberDetailsView_name", { hasText: "Alice Liddell" }).waitFor();
    await details.locator(".MemberDetailsView_id", { hasText: alice.id }).waitFor();
    await alice.takes("Alice in Wonderland");
    await bob.announced("Alice Liddell changed their name to Alice in Wonderland");
    await details.locator(".MemberDetailsView_name", { hasText: "Alice in Wonderland" }).waitFor();
    await alice.wears(png());
    await bob.announced("Alice in Wonderland changed their avatar");
    const avatar = details.locator(".avatar img");
    await avatar.waitFor();
    await bob.page.waitForFunction((image) => image.naturalWidth > 0, await avatar.elementHandle());
    await bob.picture("profile");
    await bob.closePanel();
    seen("the members, and a profile whose new name and picture arrive while it is open");
}

async function secret(alice, bob) {
    await alice.create("Vault", {});
    await alice.invites(bob);
    await bob.inList("Vault").waitFor();
    await bob.accepts("Vault");
    await alice.announced("Bob Lee joined the room");
    for (const person of [alice, bob]) {
        await person.page.locator(".MessageComposer textarea[placeholder='Send an encrypted message…']").waitFor();
    }
    for (const [from, to] of [[alice, bob], [bob, alice]]) {
        const sent = from.page.waitForRequest(/\/send\/m\.room\.encrypted\//);
        await from.says(`a secret of ${from.name}`);
        await to.reads(`a secret of ${from.name}`);
        check(!(await sent).postData().includes("secret"), "the server is not told");
    }
    seen("encrypted messages both ways");
    await bob.does("a secret of alice", "Reply");
    await bob.says("I keep it");
    await (await alice.reads("I keep it")).locator(".ReplyPreviewView", { hasText: "a secret of alice" }).waitFor();
    await alice.reacts("a secret of bob", "🎉");
    await bob.reaction("a secret of bob", "🎉 1").waitFor();
    await attachments(alice, bob, "Vault");
}

async function direct(alice, bob) {
    await bob.opens("Garden");
    await (await bob.members()).locator(".MemberTileView", { hasText: "Alice" }).locator("a").click();
    await bob.page.locator(".MemberDetailsView_options button", { hasText: "Open direct message" }).click();
    await alice.inList("Bob Lee").waitFor();
    await alice.picture("direct-invite");
    await alice.accepts("Bob Lee");
    await alice.page.locator(".RoomView h2", { hasText: "Bob Lee" }).waitFor();
    await bob.inList("Alice in Wonderland").waitFor();
    await bob.opens("Alice in Wonderland");
    await bob.says("between us");
    await alice.reads("between us");
    seen("a direct message was opened from a profile");
}

async function byAlias(alice, bob) {
    await alice.create("Market", { alias: "market" });
    await bob.choose(bob.page.locator(".button-utility.create"), "Join Room");
    await bob.page.fill("#id", "#market:localhost");
    await bob.page.click(".JoinRoomView button[type=submit]");
    await bob.page.locator(".MessageComposer textarea").waitFor();
    // Who was no member before may be announced by the id.
    await alice.announced(/(Bob Lee|@bob:localhost) joined the room/);
    await (await alice.members()).locator(".MemberTileView", { hasText: "Bob Lee" }).waitFor();
    seen("a public room was found by its alias");
}

const MANY = 120;

async function history(alice, bob, browser, address) {
    for (let n = 1; n <= MANY; n++) await alice.says(`number ${n}.`);
    await bob.reads(`number ${MANY}.`);
    const tablet = await Person.logIn(browser, address, "bob");
    await tablet.opens("Market");
    await tablet.reads(`number ${MANY}.`);
    check((await tablet.message("number 1.").count()) === 0, "the first sync is not the whole history");
    await tablet.scrollsTo("named the room");
    const bodies = await tablet.page.locator(".Timeline_messageBody").allInnerTexts();
    const numbers = bodies.map((body) => /number (\d+)\./.exec(body)?.[1]).filter(Boolean).map(Number);
    check(numbers.length === MANY && numbers.every((number, at) => number === at + 1), `each once and in order: ${numbers}`);
    await tablet.picture("tablet");
    seen(`a new browser scrolled back over ${MANY} messages`);
    return tablet;
}

async function again(alice, bob) {
    await alice.page.reload();
    await alice.page.locator(".SessionView").waitFor();
    await alice.opens("Vault");
    await alice.reads("a secret of bob");
    await bob.opens("Vault");
    await bob.says("still there?");
    await alice.reads("still there?");
    seen("the page was loaded again: session, keys and messages are there");
}

const PHRASE = "beans, peas and lettuce";

async function entersPhrase(person) {
    const settings = await person.settings();
    await settings.getByRole("button", { name: "use a security phrase" }).click();
    await settings.getByPlaceholder("Security phrase").fill(PHRASE);
    await settings.getByRole("button", { name: "Set up" }).click();
    await settings.getByText("Key backup is enabled").waitFor();
    return settings;
}

async function backup(alice, bob, browser, address) {
    const token = await alice.token();
    const signed = async () => (await request("POST", "keys/query", { device_keys: { [alice.id]: [] } }, token)).body;
    await setUpSecrets(alice.id, PHRASE, async (method, path, body) => {
        const answer = await request(method, path, body, token);
        check(answer.status === 200, `${method} ${path}: ${JSON.stringify(answer)}`);
    });
    await alice.enables("Cross-Signing");
    // What was stored is there when what is said after it is.
    await alice.opens("Vault");
    await bob.opens("Vault");
    await bob.says("now keep the keys");
    await alice.reads("now keep the keys");
    const settings = await entersPhrase(alice);
    await settings.getByText("Cross-signing master key found and trusted.").waitFor();
    await settings.getByText("All keys are backed up.").waitFor();
    await alice.picture("backup");
    const { device_keys, self_signing_keys } = await signed();
    const [by] = Object.keys(self_signing_keys[alice.id].keys);
    const device = await alice.page.evaluate(() => JSON.parse(localStorage.getItem("hydrogen_sessions_v1"))[0].deviceId);
    check(device_keys[alice.id][device].signatures[alice.id][by], "her device is signed by her");
    const laptop = await Person.logIn(browser, address, "alice");
    await laptop.enables("Cross-Signing");
    await laptop.opens("Vault");
    await laptop.reads("The sender hasn't sent us the key");
    await laptop.picture("before-backup");
    await entersPhrase(laptop);
    await laptop.opens("Vault");
    await laptop.reads("a secret of bob");
    await laptop.picture("backup-laptop");
    seen("secret storage was opened by its phrase; a new browser reads old messages by the key backup");
    return laptop;
}

async function verify(alice, laptop) {
    await (await alice.settings()).getByRole("button", { name: "Verify by emoji" }).click();
    await laptop.page.locator(".VerificationToastNotificationView button", { hasText: "Accept" }).click();
    await Promise.any([alice, laptop].map(({ page }) => page.getByRole("button", { name: "Proceed" }).click()));
    const emoji = await Promise.all([alice, laptop].map(async ({ page }) => {
        await page.locator(".VerifyEmojisView").waitFor();
        return (await page.locator(".EmojiContainer__emoji").allInnerTexts()).join(" ");
    }));
    check(emoji[0] && emoji[0] === emoji[1], `both show the same emoji: ${emoji}`);
    await laptop.picture("emoji-laptop");
    for (const { page } of [alice, laptop]) await page.getByRole("button", { name: "They match" }).click();
    for (const { page } of [alice, laptop]) await page.getByText("Verification completed successfully!").waitFor();
    seen(`her two browsers verified each other by ${emoji[0]}`);
}

async function leave(alice, bob) {
    await alice.opens("Garden");
    await bob.opens("Garden");
    await bob.choose(bob.page.locator(".room-options"), "Leave room");
    await alice.announced("Bob Lee left the room");
    await bob.inList("Garden").waitFor({ state: "detached" });
    seen("a room was left");
}

async function end(alice, tablet) {
    const token = await alice.token();
    await (await alice.settings()).locator("button", { hasText: "Log out" }).click();
    await alice.page.locator(".LogoutScreen button", { hasText: "Log out" }).click();
    await alice.page.locator(".SessionPickerView", { hasText: "Sign In" }).waitFor();
    check((await request("GET", "account/whoami", undefined, token)).body.errcode === "M_UNKNOWN_TOKEN", "the session is over");
    await request("POST", "logout/all", {}, await tablet.token());
    await tablet.page.locator(".LogoutScreen", { hasText: "no longer valid" }).waitFor();
    await tablet.picture("forced");
    seen("one logged out; a session that was ended from elsewhere says so");
}

/** What this client is refused by every server, and takes so. */
const EXPECTED = [
    ["404 M_NOT_FOUND GET /.well-known/matrix/client", "asked of the address that was typed, which may be a server's name"],
    ["403 M_FORBIDDEN POST /_matrix/client/r0/login", "the wrong password"],
    ["401 M_UNKNOWN_TOKEN GET /_matrix/client/r0/sync", "a session that was ended from elsewhere"],
    ["404 M_UNRECOGNIZED GET /_matrix/client/unstable/org.matrix.msc2697.v2/dehydrated_device", "an older draft of dehydrated devices"],
];

/** Nothing else was refused. What the client wrote to its console is told, for it has bugs of its own. */
function judge(people) {
    const counts = new Map();
    const count = (what) => counts.set(what, (counts.get(what) ?? 0) + 1);
    for (const { refused, errors } of people) {
        for (const { status, errcode, method, path } of refused) count(`${status} ${errcode} ${method} ${path}`);
        errors.filter((error) => !error.startsWith("Failed to load resource: the server responded")).forEach((error) => count(error.split("\n")[0]));
    }
    const known = new Map(EXPECTED);
    for (const [what, times] of counts) console.log(`told: ${what}, ${times} times: ${known.get(what) ?? "written to the console"}`);
    const others = [...counts.keys()].filter((what) => /^\d{3} /.test(what) && !known.has(what));
    check(others.length === 0, `only what is expected is refused, and not ${others.join(", ")}`);
}

const { server, address } = await serve(process.argv[2]);
const browser = await launch(chromium);
const people = [];
try {
    people.push(...(await enter(browser, address)));
    const [alice, bob] = people;
    await meet(alice, bob);
    await talk(alice, bob);
    await unread(alice, bob);
    await slip(alice, bob);
    await attachments(alice, bob, "Garden");
    await profiles(alice, bob);
    await secret(alice, bob);
    await direct(alice, bob);
    await byAlias(alice, bob);
    people.push(await history(alice, bob, browser, address));
    await again(alice, bob);
    people.push(await backup(alice, bob, browser, address));
    await verify(alice, people[3]);
    await leave(alice, bob);
    await end(alice, people[2]);
    judge(people);
} catch (error) {
    for (const person of people) {
        console.error(person.name, person.errors.slice(-10), person.refused, await person.page.innerText("body"));
        await person.picture("failed");
    }
    throw error;
} finally {
    await browser.close();
    server.close();
}
