// Two people with a web client in two browsers, against the server at HOMESERVER.
//
// Owns: the walk; each step waits for what a person would see. Does not own: the client (page/), the browser (../browser.mjs), the server
// (../with_server.py).

import { chromium } from "playwright-core";

import { check, launch, picture, png, seen, serve } from "../browser.mjs";

const homeserver = process.env.HOMESERVER;

class Person {
    static async logIn(browser, address, name) {
        const context = await browser.newContext();
        const page = await context.newPage();
        const person = new Person(name, page);
        page.on("console", (message) => message.type() === "error" && person.errors.push(message.text()));
        await page.goto(address);
        await page.fill("[name=homeserver]", homeserver);
        await page.fill("[name=user]", name);
        await page.fill("[name=password]", `correct horse battery ${name}`);
        await page.click("#login button");
        await person.syncs();
        await page.waitForFunction(() => document.getElementById("crypto").textContent === "keys are published");
        return person;
    }

    constructor(name, page) {
        Object.assign(this, { name, page, errors: [] });
    }

    async syncs() {
        await this.page.waitForFunction(() => ["SYNCING", "PREPARED"].includes(document.getElementById("sync").textContent));
    }

    say(text) {
        return this.page.fill("#composer [name=text]", text).then(() => this.page.click("#composer button"));
    }

    reads(text) {
        return this.page.waitForSelector(`#timeline li[data-text=${JSON.stringify(text)}]`);
    }

    picture(name) {
        return picture(this.page, name);
    }
}

async function chat(alice, bob) {
    await alice.page.fill("#whom", "@bob:localhost");
    await alice.page.click("#new");
    await bob.page.click("#rooms li[data-membership=invite]");
    await bob.page.click("#accept");
    await bob.page.waitForSelector("#rooms li[data-membership=join]");
    await alice.page.waitForFunction(() => document.getElementById("members").textContent.includes("bob"));
    seen("an invitation to an encrypted chat was accepted");
    await alice.say("good morning");
    const first = await bob.reads("good morning");
    check((await first.getAttribute("data-encrypted")) === "true", "the message came encrypted");
    await bob.say("and to you");
    await alice.reads("and to you");
    seen("encrypted messages both ways");
    await alice.page.fill("#composer [name=text]", "I am typing");
    await bob.page.waitForFunction(() => document.getElementById("typing").textContent.includes("is typing"));
    await alice.page.waitForFunction(() => /bob\S* \(online\)/.test(document.getElementById("members").textContent));
    await alice.say("have you seen this?");
    await bob.reads("have you seen this?");
    await bob.page.click("#timeline");
    await alice.page.waitForSelector("#timeline li[data-text='have you seen this?'][data-read-by~='@bob:localhost']");
    seen("typing, presence and a read receipt");
}

async function file(alice, bob) {
    await alice.page.setInputFiles("#file", { name: "square.png", mimeType: "image/png", buffer: png() });
    await bob.reads("square.png");
    await bob.page.waitForFunction(() => document.querySelector("#timeline img")?.naturalWidth > 0);
    seen("a picture was uploaded; its thumbnail is shown to the other");
}

async function verify(alice, bob) {
    for (const person of [alice, bob]) {
        await person.page.click("#backup");
        await person.page.waitForFunction(() => document.getElementById("key").textContent.length > 20);
    }
    seen("cross-signing, secret storage and key backup are set up without a password");
    await alice.page.click("#verify");
    await bob.page.waitForSelector("#begin", { state: "visible" });
    await alice.page.click("#begin");
    const shown = [alice, bob].map((person) => person.page.waitForSelector("#match", { state: "visible" }));
    await Promise.all(shown);
    const emoji = await Promise.all([alice, bob].map((person) => person.page.textContent("#emoji")));
    check(emoji[0] && emoji[0] === emoji[1], "both see the same emoji");
    await Promise.all([alice, bob].map((person) => person.page.click("#match")));
    await Promise.all([alice, bob].map((person) =>
        person.page.waitForFunction(() => document.getElementById("verified").textContent === "verified")));
    seen(`they compared ${emoji[0]}: each has verified the other`);
}

async function again(alice) {
    await alice.page.reload();
    await alice.syncs();
    await alice.page.click("#rooms li");
    await alice.page.click("#older");
    await alice.reads("and to you");
    seen("the page was loaded again: the session and the messages are there");
}

async function newDevice(tablet, alice) {
    const key = await alice.page.getAttribute("#key", "data-key");
    await tablet.page.click("#rooms li");
    await tablet.page.fill("#recovery", key);
    await tablet.page.click("#recover");
    await tablet.page.waitForFunction(() => document.getElementById("crypto").textContent.startsWith("recovered"));
    await tablet.page.click("#older");
    await tablet.reads("good morning");
    seen("a second browser recovered by the key: old messages are readable");
    await tablet.picture("tablet");
}

async function post(path, body) {
    const answer = await fetch(`${homeserver}/_matrix/client/v3/${path}`, { method: "POST", body: JSON.stringify(body) });
    return { status: answer.status, body: await answer.json() };
}

/** An app's window around a page of the server's, with the functions that the page tells. */
async function appWindow(browser) {
    const page = await (await browser.newContext()).newPage();
    await page.addInitScript(() => {
        window.matrixLogin = { onLogin: (answer) => { window.loggedIn = answer; } };
        window.onAuthDone = () => { window.authDone = true; };
    });
    return page;
}

async function fallbackPages(browser) {
    const page = await appWindow(browser);
    await page.goto(`${homeserver}/_matrix/static/client/login/?initial_device_display_name=old%20app`);
    await page.fill("[name=user]", "alice");
    await page.fill("[name=password]", "not this one");
    await page.click("#login button");
    await page.waitForFunction(() => document.getElementById("status").textContent !== "");
    await page.fill("[name=password]", "correct horse battery alice");
    await page.click("#login button");
    await page.waitForFunction(() => window.loggedIn?.access_token);
    seen("the login page told its app of the new session, after a wrong password");

    const token = process.env.REGISTRATION_TOKEN;
    if (!token) return;
    const account = { username: "carol", password: "correct horse battery carol" };
    const { session, flows } = (await post("register", account)).body;
    check(flows.some((flow) => flow.stages.includes("m.login.registration_token")), "a token registers");
    await page.goto(`${homeserver}/_matrix/client/v3/auth/m.login.registration_token/fallback/web?session=${session}`);
    await page.fill("[name=token]", "not this one");
    await Promise.all([page.waitForEvent("load"), page.click("button")]);
    check(!(await page.evaluate(() => window.authDone)), "a wrong token is nothing");
    await page.fill("[name=token]", token);
    await page.click("button");
    await page.waitForFunction(() => window.authDone);
    const registered = await post("register", { ...account, auth: { session } });
    check(registered.body.user_id === "@carol:localhost", `carol is registered: ${JSON.stringify(registered)}`);
    seen("the page of a registration token told its app, after a wrong token; the session registers");
}

const { server, address } = await serve(process.argv[2]);
const browser = await launch(chromium);
const people = [];
try {
    for (const name of ["alice", "bob"]) people.push(await Person.logIn(browser, address, name));
    seen("two people are logged in, each in a browser");
    const [alice, bob] = people;
    await chat(alice, bob);
    await file(alice, bob);
    await verify(alice, bob);
    people.push(await Person.logIn(browser, address, "alice"));
    await newDevice(people[2], alice);
    await again(alice);
    await fallbackPages(browser);
    await alice.picture("alice");
    await bob.picture("bob");
} catch (error) {
    for (const person of people) {
        console.error(person.name, person.errors.slice(-10), await person.page.textContent("#banner"));
        await person.picture(`failed-${person.name}`);
    }
    throw error;
} finally {
    await browser.close();
    server.close();
}
