/**
 * Says in words that this browser cannot run the page, which would otherwise stay blank. In the oldest
 * JavaScript there is: no modules, and nothing that a browser of ten years ago could not read.
 */
(function () {
  "use strict";
  // These two came last of all that the page cannot do without: Chromium 86, Safari 15.4, Firefox 98.
  var able =
    "replaceChildren" in Element.prototype &&
    window.HTMLDialogElement &&
    "showModal" in HTMLDialogElement.prototype;

  function line(lang, words) {
    var element = document.createElement("p");
    element.lang = lang;
    element.appendChild(document.createTextNode(words));
    return element;
  }

  function say(chinese, english) {
    function show() {
      var box = document.createElement("div");
      box.className = "banner unable";
      box.setAttribute("role", "alert");
      box.appendChild(line("zh-CN", chinese));
      box.appendChild(line("en", english));
      document.body.insertBefore(box, document.body.firstChild);
    }
    if (document.body) show();
    else document.addEventListener("DOMContentLoaded", show);
  }

  if (!able) {
    say(
      "这个浏览器太旧，打不开此页面。请更新浏览器或系统，或换用 Chrome、Edge（86 或更新）、Safari（15.4 或更新）、Firefox（98 或更新）。在微信等应用里打开的，请改用手机的浏览器。",
      "This browser is too old for this page. Update it, or use Chrome or Edge 86, Safari 15.4, Firefox 98 or newer. If an app such as WeChat opened it, open it in the phone's own browser."
    );
    return;
  }
  // A file of the page that did not arrive: errors of loading do not bubble, but they can be captured.
  var said = false;
  window.addEventListener(
    "error",
    function (event) {
      if (said || !event.target || event.target.tagName !== "SCRIPT") return;
      said = true;
      say(
        "页面没有载入完整，请检查网络后重新打开。",
        "The page did not load completely. Check the network and open it again."
      );
    },
    true
  );
})();
