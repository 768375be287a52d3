// One person at Hydrogen: what she does with its buttons and forms, and what she sees of it.
//
// Owns: the places in Hydrogen's page, and what the server answered to it. Does not own: what is done in which order (walk.mjs).

import { picture } from "../browser.mjs";

export const homeserver = process.env.HOMESERVER;

const NAMES = { alice: "Alice Liddell", bob: "Bob Lee" };

/** A request of a person's that the interface of this client has no form for. */
export async function request(method, path, body, token) {
    const answer = await fetch(`${homeserver}/_matrix/client/v3/${path}`, {
        method,
        headers: token ? { Authorization: `Bearer ${token}` } : {},
        body: body && JSON.stringify(body),
    });
    return { status: answer.status, body: await answer.json() };
}

export class Person {
    /** A browser of her own with the login form in it. */
    static async open(browser, address, name) {
        const context = await browser.newContext({ viewport: { width: 1200, height: 800 } });
        context.setDefaultTimeout(20_000);
        const person = new Person(name, await context.newPage());
        await person.page.goto(address);
        return person;
    }

    static async logIn(browser, address, name) {
        const person = await Person.open(browser, address, name);
        await person.signIn();
        await person.page.locator(".SessionView").waitFor();
        return person;
    }

    constructor(name, page) {
        Object.assign(this, { name, named: NAMES[name], page, id: `@${name}:localhost`, errors: [], refused: [] });
        page.on("console", (message) => message.type() === "error" && this.errors.push(message.text()));
        page.on("pageerror", (error) => this.errors.push(String(error)));
        page.on("dialog", (dialog) => dialog.accept());
        page.on("response", (response) => this.answered(response));
    }

    answered(response) {
        const path = new URL(response.url()).pathname;
        if (response.status() < 400 || !response.url().startsWith(homeserver)) return;
        const refusal = { status: response.status(), method: response.request().method(), path };
        this.refused.push(refusal);
        response.json().then(({ errcode }) => Object.assign(refusal, { errcode }), () => {});
    }

    async signIn(password = `correct horse battery ${this.name}`) {
        const { page } = this;
        if ((await page.inputValue("#homeserver")) !== homeserver) await page.fill("#homeserver", homeserver);
        await page.fill("#username", this.name);
        await page.fill("#password", password);
        await page.click(".PasswordLoginView button[type=submit]");
    }

    /** The access token that Hydrogen keeps. */
    async token() {
        return this.page.evaluate(() => JSON.parse(localStorage.getItem("hydrogen_sessions_v1"))[0].accessToken);
    }

    /** Takes a display name, which she has no form for. */
    async takes(displayname) {
        const path = `profile/${encodeURIComponent(this.id)}/displayname`;
        return request("PUT", path, { displayname }, await this.token());
    }

    /** The same with a picture of hers. */
    async wears(bytes) {
        const headers = { Authorization: `Bearer ${await this.token()}`, "Content-Type": "image/png" };
        const upload = await fetch(`${homeserver}/_matrix/media/v3/upload`, { method: "POST", headers, body: bytes });
        const body = { avatar_url: (await upload.json()).content_uri };
        return request("PUT", `profile/${encodeURIComponent(this.id)}/avatar_url`, body, await this.token());
    }

    picture(name) {
        return picture(this.page, `${name}-${this.name}`);
    }

    inList(room) {
        return this.page.locator(".RoomList li", { has: this.page.locator(".name", { hasText: room }) });
    }

    async opens(room) {
        // A room that is not made yet has a link as well, which ends nowhere once it is.
        await this.inList(room).locator("a[href*='open-room/!']").click();
        await this.page.locator(".middle-header h2", { hasText: room }).waitFor();
    }

    /** Presses a button that opens a menu, and then what the menu offers. */
    async choose(button, label) {
        await button.click();
        await this.page.locator(".popupContainer .menu-item", { hasText: label }).click();
    }

    async create(name, { topic, encrypted = true, alias }) {
        const { page } = this;
        await this.choose(page.locator(".button-utility.create"), "Create Room");
        await page.fill("#name", name);
        if (topic) await page.fill("#topic", topic);
        if (alias) {
            await page.check("#isPublic");
            await page.fill("#roomAlias", alias);
        } else {
            await page.setChecked("#isEncrypted", encrypted);
        }
        await page.click(".CreateRoomView button[type=submit]");
        // This version does not go into the room that it made: it does not wait for the room's id.
        await this.opens(name);
        await page.locator(".MessageComposer textarea").waitFor();
    }

    async details() {
        if (!(await this.page.locator(".RoomDetailsView").isVisible())) {
            await this.choose(this.page.locator(".room-options"), "Room details");
        }
        return this.page.locator(".RoomDetailsView");
    }

    async members() {
        await (await this.details()).locator("button", { hasText: "People" }).click();
        return this.page.locator(".MemberListView");
    }

    async closePanel() {
        await this.page.click(".RightPanelView_buttons .close");
    }

    async invites(other) {
        const list = await this.members();
        await list.locator(".MemberListView__invite-btn").click();
        await this.page.fill(".InvitePanelView__input", other.id);
        await this.page.click(".InvitePanelView__btn");
    }

    async accepts(room) {
        await this.opens(room);
        await this.page.locator(".InviteView button", { hasText: "Accept" }).click();
        await this.page.locator(".MessageComposer textarea").waitFor();
    }

    async says(text) {
        await this.page.fill(".MessageComposer textarea", text);
        await this.page.click(".MessageComposer button.send");
        // Until then it would take what is typed next for sent.
        await this.page.locator(".MessageComposer:not(.MessageComposer_canSend)").waitFor();
    }

    /** The message with this text in the open room, once it is there. */
    async reads(text) {
        const message = this.message(text);
        await message.waitFor();
        return message;
    }

    /** By the body alone, so that the reply to a message is not taken for it. */
    message(text) {
        const body = this.page.locator(".Timeline_messageBody").filter({ hasText: text });
        return this.page.locator(".Timeline_message").filter({ has: body }).last();
    }

    /** Back in the open room, until this was announced. */
    async scrollsTo(text) {
        const scroller = this.page.locator(".Timeline_scroller");
        const found = this.page.locator(".AnnouncementView", { hasText: text });
        while (!(await found.count())) {
            const before = await this.page.locator(".Timeline_message").count();
            await scroller.evaluate((element) => element.scrollTo(0, 0));
            await this.page.waitForFunction(
                ([count, text]) =>
                    document.querySelectorAll(".Timeline_message").length > count ||
                    [...document.querySelectorAll(".AnnouncementView")].some((tile) => tile.textContent.includes(text)),
                [before, text],
            );
        }
    }

    announced(text) {
        return this.page.locator(".AnnouncementView", { hasText: text }).last().waitFor();
    }

    async does(text, label) {
        const message = await this.reads(text);
        await message.hover();
        await this.choose(message.locator(".Timeline_messageOptions"), label);
    }

    async reacts(text, emoji) {
        const message = await this.reads(text);
        await message.hover();
        await message.locator(".Timeline_messageOptions").click();
        await this.page.locator(".popupContainer .quick-reactions button", { hasText: emoji }).click();
    }

    reaction(text, label) {
        return this.message(text).locator(".Timeline_messageReactions button").filter({ hasText: label });
    }

    async attaches(label, file) {
        const chosen = this.page.waitForEvent("filechooser");
        await this.choose(this.page.locator(".MessageComposer .sendFile"), label);
        await (await chosen).setFiles(file);
    }

    async settings() {
        await this.page.click(".button-utility.settings");
        return this.page.locator(".Settings");
    }

    /** An experimental feature, with which the page starts anew. */
    async enables(feature) {
        const box = (await this.settings()).getByLabel(feature);
        await Promise.all([this.page.waitForEvent("load"), box.click()]);
        await this.page.locator(".SessionView").waitFor();
    }
}
