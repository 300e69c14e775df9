"""The markup of chats to plain text, through HTML: Slack's and Discord's. Who is mentioned is dropped, channels keep names."""

from __future__ import annotations

import html
import re

from rejoinder.archive.markup.html import html_text
from rejoinder.archive.markup.markdown import chat_html

_FENCE = re.compile(r"```(?:[\w+-]+\n)?(.*?)```", re.DOTALL)
_SLACK = re.compile(r"<([^<>|\n]+)(?:\|([^<>\n]*))?>")
_NO_LINK = re.compile(r"<(?![^<>|\n]+(?:\|[^<>\n]*)?>)")
_CODE = re.compile(r"(`[^`\n]+`)")
_STYLE = re.compile(r"(?<![\w*_~])([*_~])(?=\S)([^\n]*?\S)\1(?![\w*_~])")
_DISCORD = re.compile(r"<(?:a?:(\w+):\d+|@[!&]?\w+|#\d+|t:(-?\d+)(?::\w)?)>")

_MENTION = '<span class="mention"></span>'


def slack_text(source: str) -> str:
    """The plain text of Slack's mrkdwn, in which `&`, `<` and `>` are escaped."""
    parts = _FENCE.split(source)
    made: list[str] = []
    for place, part in enumerate(parts):
        if place % 2:
            made.append(f"<pre>{_SLACK.sub(_in_code, part)}</pre>")
        else:
            part = _SLACK.sub(_slack, _NO_LINK.sub("&lt;", part))
            pieces = _CODE.split(part)
            pieces[::2] = (_STYLE.sub(r"\2", piece) for piece in pieces[::2])
            made.append("".join(pieces).replace("\n", "<br>"))
    return html_text("".join(made))


def _slack(match: re.Match[str]) -> str:
    target, label = match[1], match[2]
    if target.startswith(("@", "!")):
        return label.lstrip("@") if target.startswith("!") and label else _MENTION
    if target.startswith("#"):
        return f"#{label}" if label else ""
    return f'<a href="{html.escape(target)}">{label or target}</a>'


def _in_code(match: re.Match[str]) -> str:
    return match[2] or match[1]


def discord_text(source: str) -> str:
    """The plain text of Discord's Markdown."""
    made: list[str] = []
    for place, part in enumerate(_FENCE.split(source)):
        if place % 2:
            made.append(f"<pre>{html.escape(part)}</pre>")
        else:
            made.append(chat_html(_DISCORD.sub(_discord, part).replace("```", r"\`\`\`")))
    return html_text("".join(made))


def _discord(match: re.Match[str]) -> str:
    if not match[0].startswith("<@"):
        return f":{match[1]}:" if match[1] else ""
    before, after = match.string[: match.start()][-1:], match.string[match.end() :][:1]
    return f"{' ' * (before > ' ')}@someone{' ' * (after.isalnum() or (after > ' ' and after in '_.-/@'))}"
