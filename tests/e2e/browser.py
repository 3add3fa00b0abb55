"""browser.py - drives headless Chromium by its DevTools protocol, over pipes: no module beside Python's own.

	with Browser(profile_dir) as page:
	    page.open(path); page.click(x, y); page.key("Enter"); page.value("document.title")

Events are the browser's own (Input.dispatch…), as a user's; console messages and uncaught
exceptions are kept in page.console.
"""
import base64
import json
import os
import select
import subprocess
import time

PATIENCE = 30  # seconds
FLAGS = ["--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
         "--disable-background-networking", "--disable-component-update", "--disable-sync",
         "--disable-dev-shm-usage", "--force-color-profile=srgb", "--remote-debugging-pipe"]
CODES = {"Enter": 13, "Escape": 27, "ArrowLeft": 37, "ArrowUp": 38, "ArrowRight": 39, "ArrowDown": 40,
         "Tab": 9, "Home": 36, "Backspace": 8, "End": 35}


class Browser:
    def __init__(self, profile_dir, width=1280, height=1000):
        self.size, self.profile_dir = (width, height), profile_dir
        self.console, self.buffer, self.number, self.session = [], b"", 0, None

    def __enter__(self):
        to_child, self.out = os.pipe()
        self.inp, from_child = os.pipe()

        def wire():
            # the browser reads descriptor 3 and writes 4; either end may be in the other's place
            a, b = os.dup(to_child), os.dup(from_child)
            os.dup2(a, 3)
            os.dup2(b, 4)

        self.child = subprocess.Popen(
            ["chromium", *FLAGS, f"--user-data-dir={self.profile_dir}", "--window-size=%d,%d" % self.size, "about:blank"],
            preexec_fn=wire, close_fds=False, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL)
        os.close(to_child)
        os.close(from_child)
        target = self.call("Target.createTarget", url="about:blank")["targetId"]
        self.session = self.call("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
        for domain in ("Page", "Runtime", "Log"):
            self.call(f"{domain}.enable")
        self.call("Emulation.setDeviceMetricsOverride", width=self.size[0], height=self.size[1],
                  deviceScaleFactor=1, mobile=False)
        self.call("Emulation.setFocusEmulationEnabled", enabled=True)
        return self

    def __exit__(self, *error):
        try:
            self.session = None
            self.call("Browser.close")
        except OSError:
            pass
        try:
            self.child.wait(10)
        except subprocess.TimeoutExpired:
            self.child.kill()
            self.child.wait()

    def read(self):
        end = time.monotonic() + PATIENCE
        while b"\0" not in self.buffer:
            ready, _, _ = select.select([self.inp], [], [], max(0, end - time.monotonic()))
            data = os.read(self.inp, 1 << 20) if ready else b""
            if not data:
                raise OSError("the browser does not answer")
            self.buffer += data
        one, _, self.buffer = self.buffer.partition(b"\0")
        return json.loads(one)

    def call(self, method, **params):
        self.number += 1
        request = dict(id=self.number, method=method, params=params)
        if self.session:
            request["sessionId"] = self.session
        data = json.dumps(request).encode() + b"\0"
        while data:
            data = data[os.write(self.out, data):]
        while True:
            answer = self.read()
            self.note(answer)
            if answer.get("id") != self.number:
                continue
            if "error" in answer:
                raise RuntimeError(f"{method}: {answer['error']}")
            return answer["result"]

    def note(self, answer):
        method, params = answer.get("method"), answer.get("params", {})
        if method == "Runtime.exceptionThrown":
            details = params["exceptionDetails"]
            self.console.append(details.get("exception", {}).get("description") or details["text"])
        elif method == "Runtime.consoleAPICalled":
            self.console.append(" ".join(str(a.get("value")) for a in params["args"]))
        elif method == "Log.entryAdded":
            self.console.append(params["entry"]["text"])

    def value(self, expression):
        result = self.call("Runtime.evaluate", expression=expression, returnByValue=True, awaitPromise=True)
        if "exceptionDetails" in result:
            raise RuntimeError(f"{expression}: {result['exceptionDetails']}")
        return result["result"].get("value")

    def wait(self, expression):
        end = time.monotonic() + PATIENCE
        while not self.value(f"!!({expression})"):
            if time.monotonic() > end:
                raise AssertionError(f"never true: {expression}; console: {self.console}")
            time.sleep(0.05)

    def frames(self):
        """until what was asked for is on the screen"""
        self.value("new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(() => done(1))))")

    def open(self, path, ready="document.readyState === 'complete'"):
        self.call("Page.navigate", url=f"file://{path}")
        self.wait(ready)
        self.frames()

    def mouse(self, kind, x, y, clicks=0):
        self.call("Input.dispatchMouseEvent", type=kind, x=x, y=y, button="left" if kind != "mouseMoved" or clicks else "none",
                  buttons=1 if clicks and kind != "mouseReleased" else 0, clickCount=clicks, pointerType="mouse")

    def click(self, x, y):
        self.mouse("mouseMoved", x, y)
        self.mouse("mousePressed", x, y, 1)
        self.mouse("mouseReleased", x, y, 1)
        self.frames()

    def drag(self, x0, y0, x1, y1):
        self.mouse("mouseMoved", x0, y0)
        self.mouse("mousePressed", x0, y0, 1)
        for i in range(1, 6):
            self.mouse("mouseMoved", x0 + (x1 - x0) * i / 5, y0 + (y1 - y0) * i / 5, 1)
        self.mouse("mouseReleased", x1, y1, 1)
        self.frames()

    def hover(self, x, y):
        self.mouse("mouseMoved", x, y)
        self.frames()

    def key(self, key, shift=False):
        event = dict(key=key, code=key, windowsVirtualKeyCode=CODES.get(key, ord(key[0].upper())),
                     modifiers=8 if shift else 0)
        if len(key) == 1:
            event["text"] = key
        elif key == "Enter":
            event["text"] = "\r"
        self.call("Input.dispatchKeyEvent", type="keyDown", **event)
        event.pop("text", None)
        self.call("Input.dispatchKeyEvent", type="keyUp", **event)
        self.frames()

    def type(self, text):
        self.call("Input.insertText", text=text)
        self.frames()

    def dark(self, on=True):
        self.call("Emulation.setEmulatedMedia", features=[dict(name="prefers-color-scheme", value="dark" if on else "light")])
        self.frames()

    def box(self, selector):
        return self.value("(() => { const r = document.querySelector(%s).getBoundingClientRect();"
                          "return [r.x, r.y, r.width, r.height]; })()" % json.dumps(selector))

    def press(self, selector, text=None):
        """clicks the first element that the selector names and, when told, that has this text"""
        x, y, w, h = self.value(
            "(() => { const e = [...document.querySelectorAll(%s)].find((e) => %s === null || e.textContent === %s);"
            "e.scrollIntoView({block: 'center'}); const r = e.getBoundingClientRect(); return [r.x, r.y, r.width, r.height]; })()"
            % (json.dumps(selector), json.dumps(text), json.dumps(text)))
        self.click(x + w / 2, y + h / 2)

    def text(self, selector):
        return self.value("document.querySelector(%s).textContent" % json.dumps(selector))

    def screenshot(self, path, whole=False):
        image = self.call("Page.captureScreenshot", format="png", captureBeyondViewport=whole)
        with open(path, "wb") as f:
            f.write(base64.b64decode(image["data"]))
