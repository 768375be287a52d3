
"use strict";

// Apps that show this page put a function `onLogin` here.
window.matrixLogin = window.matrixLogin || {};

const form = document.getElementById("login");
const status = document.getElementById("status");
const button = form.querySelector("button");

function request() {
    const asked = new URLSearchParams(window.location.search);
    const body = {
        type: "m.login.password",
        identifier: { type: "m.id.user", user: form.elements.user.value },
        password: form.elements.password.value,
    };
    for (const name of ["device_id", "initial_device_display_name"]) {
        if (asked.has(name)) {
            body[name] = asked.get(name);
        }
    }
    if (asked.get("refresh_token") === "true") {
        body.refresh_token = true;
    }
    return body;
}

// The answer has an access token: it goes to a function of this window, and to no other window.
function tell(response) {
    if (window.matrixLogin.onLogin) {
        window.matrixLogin.onLogin(response);
    } else if (window.onLogin) {
        window.onLogin(response);
    }
}

form.addEventListener("submit", async (event) => {
    event.preventDefault();
    button.disabled = true;
    status.textContent = "";
    try {
        const answer = await fetch("../../../client/v3/login", {
            method: "POST",
            headers: { "Content-Type": "application/json" },
            body: JSON.stringify(request()),
        });
        const response = await answer.json();
        if (answer.ok) {
            form.hidden = true;
            status.textContent = "You are logged in. Go back to the app.";
            tell(response);
        } else {
            status.textContent = response.error;
        }
    } catch (error) {
        status.textContent = "The server does not answer. Try again.";
    }
    button.disabled = false;
});
