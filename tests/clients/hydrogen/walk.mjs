// Two people with Hydrogen in two browsers, against the server at HOMESERVER.
//
// Owns: the walk; each step waits for what the other person sees. Does not own: the places in Hydrogen's page (person.mjs), the browser
// (../browser.mjs), the server (../with_server.py).

import { chromium } from "playwright-core";

import { check, launch, png, seen, serve } from "../browser.mjs";
import { homeserver, Person, request } from "./person.mjs";

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

    await alice.says("a slip of the pen");
    await bob.reads("a slip of the pen");
    await alice.does("a slip of the pen", "Delete");
    await bob.reads("This message has been deleted");
    check((await bob.message("a slip of the pen").count()) === 0, "what was deleted is gone");
    seen("a deleted message is gone");
    await alice.picture("talk");
    await bob.picture("talk");
}

/** What this client is refused by every server, and takes so. */
const EXPECTED = [
    ["404 M_NOT_FOUND GET /.well-known/matrix/client", "asked of the address that was typed, which may be a server's name"],
    ["403 M_FORBIDDEN POST /_matrix/client/r0/login", "the wrong password"],
    ["404 M_UNRECOGNIZED GET /_matrix/client/unstable/org.matrix.msc2697.v2/dehydrated_device", "an older draft of dehydrated devices"],
];

/** Nothing else was refused. What the client wrote to its console is told, for it has bugs of its own. */
function judge(people) {
    const counts = new Map();
    const count = (what) => counts.set(what, (counts.get(what) ?? 0) + 1);
    for (const { refused, errors } of people) {
        for (const { status, errcode, method, path } of refused) count(`${status} ${errcode} ${method} ${path}`);
        errors.filter((error) => !error.startsWith("Failed to load resource")).forEach((error) => count(error.split("\n")[0]));
    }
    for (const [what, times] of counts) console.log(`told: ${what} (${times} times)`);
    const known = EXPECTED.map(([what]) => what);
    const others = [...counts.keys()].filter((what) => /^\d{3} /.test(what) && !known.includes(what));
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
