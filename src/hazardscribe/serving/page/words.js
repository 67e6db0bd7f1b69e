/** Every word of the page, Chinese and English side by side, so that none lacks its twin. */

import { memory } from "./memory.js";

const WORDS = {
  title: ["隐患拍照", "Hazard photos"],
  skip: ["跳到内容", "Skip to content"],
  sections: ["栏目", "Sections"],
  capture: ["拍照", "Photos"],
  ledger: ["台账", "Ledger"],
  dashboard: ["统计", "Stats"],
  language: ["EN", "中文"],
  language_help: ["Switch to English", "切换到中文"],
  account: ["账户", "Account"],
  role_admin: ["管理员", "Administrator"],
  role_inspector: ["检查人员", "Inspector"],
  model: ["模型", "Model"],
  version: ["版本", "Version"],
  sign_out: ["退出登录", "Sign out"],
  sign_out_ask: [
    "退出后需要重新输入访问口令。本机还有 {n} 条未入账，会留在这台设备上。",
    "You will need the access token again. {n} findings that are not yet in the ledger stay on this device.",
  ],

  token_title: ["请输入访问口令", "Enter your access token"],
  token_why: ["口令由管理员发给你，只需输入一次，保存在这台设备上。", "Your administrator gave it to you. It is asked for once and kept on this device."],
  token: ["访问口令", "Access token"],
  token_show: ["显示口令", "Show token"],
  token_go: ["进入", "Continue"],
  token_wrong: ["口令不对，请核对后再试。", "This token is not valid. Check it and try again."],
  token_empty: ["请先输入口令。", "Enter the token first."],

  capture_lead: ["拍下隐患，模型写出描述，由你核对、修改、确认。", "Photograph the hazard; the model drafts a description; you check, edit and confirm it."],
  capture_empty: ["还没有照片", "No photos yet"],
  capture_empty_phone: ["点“拍照”开始；拍完可以继续往前走，描述会自己写好。", "Tap “Take photo” to start. Walk on while descriptions are written."],
  capture_empty_desk: ["也可以把照片拖到页面任意位置，或按 Ctrl+V 粘贴。", "You can also drop photos anywhere on this page, or paste them with Ctrl+V."],
  take: ["拍照", "Take photo"],
  pick: ["相册", "Album"],
  pick_desk: ["添加照片", "Add photos"],
  drop_here: ["松手即可添加照片", "Drop to add the photos"],
  not_photo: ["“{name}”不是照片，没有添加。", "“{name}” is not a photo and was not added."],
  too_many: ["一条隐患最多 {n} 张照片。", "A finding holds {n} photos at most."],
  nothing_durable: ["这个浏览器不能在本机保存照片：关闭页面前请先确认入账。", "This browser cannot keep photos on the device: confirm them before you close the page."],
  storage_full: ["本机存储空间不足，这张照片只留在内存里，请尽快确认入账。", "The device is out of storage; this photo is only in memory. Confirm it soon."],
  withheld: ["浏览器暂时读不到存在本机的照片。请重新打开页面再试。", "The browser cannot read the photo kept on this device just now. Reload the page and try again."],
  elsewhere: ["拍照队列正在另一个标签页里处理。", "The photo queue is being worked on in another tab."],
  elsewhere_take: ["在这里继续", "Continue here"],
  offline_bar: ["连不上服务器。照片和文字都存在本机，恢复后会自动继续。", "The server cannot be reached. Photos and texts are kept on this device; work resumes automatically."],
  selected: ["已选 {n} 条", "{n} selected"],
  join: ["合并为一条隐患", "Join into one finding"],
  cancel: ["取消", "Cancel"],
  select: ["选中 {name} 以便合并", "Select {name} for joining"],
  done_heading: ["已入台账", "In the ledger"],
  clear_done: ["清空此列表", "Clear this list"],
  open_heading: ["待确认", "To confirm"],

  card: ["隐患 {n}", "Finding {n}"],
  card_photos: ["{n} 张照片", "{n} photos"],
  photo_of: ["{name} 的照片 {i}", "Photo {i} of {name}"],
  enlarge: ["放大查看：{name}", "Enlarge: {name}"],
  state_waiting: ["等待描述", "Waiting"],
  state_describing: ["正在描述", "Describing"],
  state_ready: ["待确认", "To confirm"],
  state_failed: ["未成功", "Failed"],
  state_offline: ["离线，已存本机", "Offline, kept here"],
  state_sending: ["正在入账", "Saving"],
  state_confirmed: ["已入台账", "In the ledger"],
  queue_position: ["前面还有 {n} 张", "{n} ahead in the queue"],
  held: ["由{name}确认，等{name}在这台设备上登录后入账。", "Confirmed by {name}; it is saved once {name} signs in on this device."],
  retry_soon: ["服务器忙，稍后自动重试。", "The server is busy; this is retried automatically."],
  retry_offline: ["连不上服务器，会自动重试。你可以先自己写。", "The server cannot be reached; this is retried automatically. Meanwhile you can write the description yourself."],
  retry_offline_confirmed: ["你已确认。连上服务器后自动入账，请不要清除浏览器数据。", "You have confirmed. It goes into the ledger as soon as the server can be reached; do not clear browser data."],
  retry_now: ["立即重试", "Try now"],
  retry: ["重试", "Try again"],
  write_yourself: ["也可以直接自己写描述并确认。", "You can also write the description yourself and confirm."],
  no_photo_left: ["可以加一张能用的照片，或自己写描述，不带照片确认入账。", "Add a photo that can be used, or write the description yourself and confirm it without a photo."],
  problem_format: ["不支持这种文件格式，请另存为 JPEG 或 PNG（iPhone：设置 › 相机 › 格式 › 兼容性最佳）。", "This file format is not supported; save the photo as JPEG or PNG (iPhone: Settings › Camera › Formats › Most Compatible)."],
  problem_not_an_image: ["文件不是照片。", "The file is not a photo."],
  problem_too_large: ["照片太大，请保存较小的副本。", "The photo is too large; save a smaller copy of it."],
  problem_too_small: ["照片太小，看不清内容，请使用原图。", "The photo is too small to show anything; use the original."],
  problem_aspect: ["照片过于细长，请裁剪到要展示的部分。", "The photo is a narrow strip; crop it to what it is meant to show."],
  problem_damaged: ["照片文件已损坏或不完整，请重新复制或拍摄。", "The photo file is damaged or cut off; copy or take it again."],
  problem_missing: ["照片文件无法读取，请重新选择。", "The photo file cannot be read; choose it again."],
  text: ["隐患描述", "Description"],
  text_wait: ["模型正在看照片，你也可以自己写", "The model is looking; you can also write it yourself"],
  text_hint: ["例：配电箱门未关闭，线路裸露", "e.g. Distribution box left open, wires exposed"],
  count: ["{n} / {most} 字", "{n} of {most} characters"],
  too_long: ["太长：{n} 字，最多 {most} 字，请删去 {over} 字。", "Too long: {n} characters, {most} at most. Remove {over}."],
  text_needed: ["请先写上隐患描述。", "Write a description first."],
  ai_drafted: ["模型起草，请核对", "Drafted by the model, please check"],
  confidence_high: ["较有把握", "fairly sure"],
  confidence_middle: ["把握一般", "moderately sure"],
  confidence_low: ["把握不大", "not very sure"],
  replaced: ["模型复核后换了说法，起初写的是：", "On review the model changed its wording. At first it wrote:"],
  withdrawn: ["刚才的草稿已撤回，没有填入描述。", "The draft was withdrawn and not filled in."],
  doubt_unsure: ["模型没有把握，请看清照片后自己写。它的草稿供参考：", "The model is not sure. Look at the photo and write it yourself. Its draft, for reference:"],
  doubt_unfamiliar: ["这类照片模型没有学过，它的话不可靠。草稿仅供参考：", "The model was not trained on photos like this; do not rely on it. Its draft, for reference:"],
  doubt_likely_safe: ["模型没有看到明显隐患。若你同意，可以丢弃这张；若看到隐患，请写下来。", "The model sees no obvious hazard. If you agree, discard it; if you see one, write it down."],
  alternatives: ["换一种说法", "Other wordings"],
  use_model: ["模型写的是（你已自己改写）：", "The model wrote (you have your own text):"],
  photo_problem: ["照片 {i} 无法识别，入账时不含这张：{why}", "Photo {i} could not be read and does not go into the ledger: {why}"],
  place: ["地点", "Place"],
  place_hint: ["例：3 号楼北侧基坑", "e.g. Pit north of building 3"],
  category: ["类别", "Category"],
  category_hint: ["选择或自己填写", "Choose or type"],
  suggested: ["参考相似案例", "From similar cases"],
  more: ["等级、整改要求与期限", "Level, measure and due date"],
  level: ["隐患等级", "Level"],
  level_一般: ["一般", "General"],
  level_重大: ["重大", "Major"],
  major_title: ["确定为重大隐患？", "Rate this hazard as major?"],
  major_ask: ["重大事故隐患须由人对照判定标准认定，模型不作判断。确认你已对照标准？", "Only a person may rate a hazard as major, by the published criteria; the model never does. Have you checked them?"],
  major_yes: ["已对照，定为重大", "Checked: rate as major"],
  measure: ["整改措施", "Measure"],
  responsible: ["责任人", "Responsible"],
  due: ["整改期限", "Due"],
  due_in: ["{n} 天内", "In {n} days"],
  due_today: ["今天", "Today"],
  found_on: ["检查日期", "Found on"],
  similar: ["相似的过往案例（{n}）", "Similar past cases ({n})"],
  similarity: ["相似度 {n}%", "{n}% similar"],
  use_measure: ["用这条的整改措施", "Use its measure"],
  add_photo: ["给 {name} 加照片", "Add a photo to {name}"],
  add_photo_short: ["加照片", "Add photo"],
  split: ["拆开", "Separate"],
  discard: ["丢弃", "Discard"],
  discard_title: ["丢弃这条？", "Discard this one?"],
  discard_ask: ["照片和文字会从本机删除，不会进入台账；模型写的描述记为“未采用”；如果模型没有看到明显隐患，则不计（丢弃即表示同意）。", "Photo and text are deleted from this device and never enter the ledger; the model's text counts as rejected, unless the model saw no obvious hazard (discarding then means that you agree)."],
  confirm: ["确认入账", "Confirm"],
  see_in_ledger: ["在台账中查看 №{n}", "See no. {n} in the ledger"],
  say_ready: ["{name} 已写好：{text}", "{name} is ready: {text}"],
  say_doubt: ["{name}：模型没有把握，请自己写", "{name}: the model is not sure, please write it yourself"],
  say_failed: ["{name} 未成功：{why}", "{name} failed: {why}"],
  say_confirmed: ["{name} 已入台账，编号 {n}", "{name} is in the ledger, no. {n}"],
  say_offline: ["{name}：离线，已存本机", "{name}: offline, kept on this device"],
  say_added: ["已添加 {n} 张照片", "Photos added: {n}"],
  say_joined: ["已合并为一条隐患，共 {n} 张照片", "Joined into one finding of {n} photos"],

  search: ["搜索", "Search"],
  search_hint: ["描述、地点、编号", "Text, place, number"],
  filters: ["筛选", "Filters"],
  filters_on: ["筛选（{n}）", "Filters ({n})"],
  all: ["全部", "All"],
  status: ["状态", "Status"],
  status_open: ["待整改", "Open"],
  status_done: ["已整改", "Done"],
  outcome: ["采用情况", "Outcome"],
  outcome_accepted: ["原样采用", "Accepted"],
  outcome_edited: ["改后采用", "Edited"],
  outcome_written: ["人工填写", "Written"],
  outcome_rejected: ["未采用", "Rejected"],
  since: ["从", "From"],
  until: ["到", "Until"],
  clear_filters: ["清除筛选", "Clear filters"],
  export_xlsx: ["导出 Excel", "Export Excel"],
  export_pairs: ["导出训练数据", "Export training data"],
  export_help: ["按当前筛选导出。训练数据解压后可直接用于训练。", "Exports the records that match the filters. Unzip the training data before you train on it."],
  exported: ["已导出：{name}", "Exported: {name}"],
  shown: ["显示 {n} 条，共 {total} 条", "{n} of {total} shown"],
  none_found: ["没有符合条件的记录。", "No records match."],
  none_yet: ["台账还是空的。确认一条隐患后会出现在这里。", "The ledger is empty. Confirmed findings appear here."],
  load_more: ["加载更多", "Load more"],
  loading: ["正在加载……", "Loading…"],
  due_on: ["期限 {date}", "due {date}"],
  overdue: ["已逾期 {date}", "overdue {date}"],
  photo_n: ["照片 {i}", "Photo {i}"],
  no_photo: ["无照片", "No photo"],

  number: ["№{n}", "No. {n}"],
  back_to_ledger: ["返回台账", "Back to the ledger"],
  record: ["记录", "Record"],
  save: ["保存修改", "Save changes"],
  saved: ["已保存", "Saved"],
  mark_done: ["标记为已整改", "Mark as done"],
  mark_open: ["重新打开", "Reopen"],
  both_texts: ["模型原文与确认文本", "The model's text and the confirmed one"],
  ai_text: ["模型原文", "Model's text"],
  final_text: ["确认文本", "Confirmed text"],
  texts_equal: ["两者一致。", "They are the same."],
  no_ai_text: ["这条由人工填写，没有模型原文。", "Written by a person; there is no text by the model."],
  gone_mark: ["删去", "removed"],
  new_mark: ["新增", "added"],
  facts: ["来源", "Origin"],
  doubt: ["模型的疑问", "The model's doubt"],
  doubt_short_unsure: ["没有把握", "not sure"],
  doubt_short_unfamiliar: ["没有学过这类照片", "unfamiliar photo"],
  doubt_short_likely_safe: ["没有看到明显隐患", "no obvious hazard seen"],
  confidence_label: ["把握", "Confidence"],
  confirmed_by: ["确认人", "Confirmed by"],
  created_at: ["入账时间", "Confirmed at"],
  changed_at: ["最近修改", "Last changed"],
  history: ["修改记录", "History"],
  created: ["入账", "Confirmed"],
  nothing: ["（空）", "(empty)"],
  remove: ["删除记录", "Delete record"],
  remove_title: ["删除 №{n}？", "Delete no. {n}?"],
  remove_ask: ["照片和文字将彻底删除，无法恢复；编号不再使用，只留下删除人和时间。", "Photos and text are deleted for good and cannot be restored; the number is not used again; only who deleted it and when is kept."],
  remove_yes: ["彻底删除", "Delete for good"],
  removed: ["№{n} 已删除", "No. {n} is deleted"],
  conflict_title: ["这条记录已被别人修改", "Somebody else changed this record"],
  conflict_why: ["你打开之后有人保存了新版本。逐项选择要保留的内容，你写的不会丢。", "A newer version was saved after you opened it. Choose what to keep, field by field; nothing of yours is lost."],
  mine: ["你的", "Yours"],
  theirs: ["台账里的", "In the ledger"],
  keep_chosen: ["保存所选", "Save what I chose"],
  keep_theirs: ["放弃我的修改", "Drop my changes"],

  stats_title: ["模型描述的采用情况", "How the model's texts are used"],
  stats_why: ["近 12 周，每条确认或丢弃都计入。", "The last 12 weeks; every confirmed and every discarded text counts."],
  by_week: ["按周", "By week"],
  by_category: ["按类别", "By category"],
  by_model: ["按模型", "By model"],
  week: ["周（周一起）", "Week from Monday"],
  share_accepted: ["采用率", "Accepted %"],
  total: ["合计", "Total"],
  share_bar: ["构成", "Shares"],
  no_category: ["未分类", "No category"],
  none_counted: ["这段时间还没有数据。", "No data for this period yet."],

  fact: ["{name}：{value}", "{name}: {value}"],
  aside: ["（{words}）", "({words}) "],
  close: ["关闭", "Close"],
  previous: ["上一张", "Previous"],
  next: ["下一张", "Next"],
  unreachable: ["连不上服务器，请检查网络。", "The server cannot be reached. Check the network."],
  server_away: ["服务器暂时停用或正在重启，请稍后再试。", "The server is down or restarting; try again a little later."],
  failed_plain: ["服务器没有完成这次请求（{status}）。", "The server could not complete the request ({status})."],
  request_id: ["请求编号：{id}", "Request id: {id}"],
  try_again: ["重试", "Try again"],
};

const LANGUAGES = ["zh", "en"];

/** The language that the page speaks now: Chinese until a person chooses English. */
export function language() {
  return memory.get("language") === "en" ? "en" : "zh";
}

export function setLanguage(name) {
  memory.set("language", name);
  document.documentElement.lang = name === "en" ? "en" : "zh-CN";
}

/** The words of a key, `{name}` replaced by its value. */
export function t(key, values = {}) {
  const words = WORDS[key];
  if (!words) throw new Error(`no words for ${key}`);
  return words[LANGUAGES.indexOf(language())].replace(/\{(\w+)\}/g, (_, name) => values[name] ?? "");
}

/** What a field of a record is called; a field that this page does not know, by its own name. */
export function fieldName(name) {
  return WORDS[name] ? t(name) : name;
}

const locale = () => (language() === "en" ? "en-GB" : "zh-CN");

/** A day, as people write it. */
export function day(value) {
  if (!value) return "";
  const date = new Date(`${value.slice(0, 10)}T12:00:00`);
  return new Intl.DateTimeFormat(locale(), { year: "numeric", month: "short", day: "numeric" }).format(date);
}

/** A day and a time, in this device's zone. */
export function moment(value) {
  return new Intl.DateTimeFormat(locale(), { dateStyle: "medium", timeStyle: "short" }).format(new Date(value));
}

/** This device's today plus some days, as the wire wants it: 2026-01-31. */
export function isoDay(ahead = 0) {
  const now = new Date();
  now.setDate(now.getDate() + ahead);
  const two = (number) => String(number).padStart(2, "0");
  return `${now.getFullYear()}-${two(now.getMonth() + 1)}-${two(now.getDate())}`;
}

/** What a code on the wire is called: `named("status", "open")`; unknown codes as they are. */
export function named(kind, code) {
  return WORDS[`${kind}_${code}`] ? t(`${kind}_${code}`) : (code ?? "");
}
