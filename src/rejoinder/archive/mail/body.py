r"""The text of a mail: what its writer wrote, apart from what they only carried along.

    quotes         lines that begin with ">"; "Ada> ", "| " and what stands below "-----Original Message-----", or below the
                   headers (From, Sent, To ...) that Outlook puts above a mail it answers, become such lines
    attributions   "On Mon, 3 Jan 2022, Ada wrote:"
    signatures     "-- " and what follows it; "Sent from my phone" as a paragraph of its own
    footers        what a list adds below every mail, and what it says of parts that it took out
    armour         "-----BEGIN PGP SIGNATURE-----" and its block; files in the text, from "begin 644 NAME" to "end"

Each of these is kept, as a line that begins with ">", so that nothing is lost and nobody learns it as the writer's own words
(`rejoinder.post.unquoted`). Lines that were broken only because they were full are joined again: what is left of line breaks
was meant. Source: RFC 3676 for flowed text, RFC 3156 and 4880 for armour; the rest is the custom of lists.
"""

from __future__ import annotations

import re

_WIDEST, _NARROWEST = 100, 40  # characters of a line that a mailer broke; what is narrower was broken by a person
_QUOTE = re.compile(r"\s{0,2}(?:(?:[A-Za-z]{1,4}(?=[>|]))?[>|]\s?)+")
_QUOTED_BY_NAME = re.compile(r"\s{0,2}[A-Z][A-Za-z]{0,3}> ?")
_ATTRIBUTION = re.compile(
    r"""\s*(?:On|Am|Le|El|Il|Op|Den)\s.{4,180}\b(?:wrote|writes|schrieb.*|a\s.crit|escribi.|ha\sscritto|schreef|skrev)\s*:\s*$
    | \s*.{0,160}(?:<[^<>]+>|\S+@\S+|\bat\s\S+\.\w+|\d{4}).{0,80}\b(?:wrote|writes|said)\s*:\s*$
    | \s*.{0,20}\d{1,4}[-/.]\d{1,2}\b.{0,90}(?:<[^<>]+>|\S+@\S+)\s*:\s*$
    | \s*(?:Yesterday|Today|Last)\s.{0,120}\b(?:wrote|said)\s*:\s*$
    | \s*(?:>?\s*)?(?:[A-Z]\S{0,30}\s){1,4}(?:wrote|writes)\s*:\s*$""",
    re.VERBOSE,
)
_BEFORE_QUOTE = re.compile(r"\s{0,3}\S.{0,60}\b(?:wrote|writes|said|schrieb|escribió|a écrit)\s?:$")  # however it names whom
_ATTRIBUTION_BEGINS = re.compile(r"\s*On\s.{8,150}(?:\d{4}|\d\d:\d\d|@|<)")
_ATTRIBUTION_ENDS = re.compile(r".{0,120}\bwrote:\s*$")
_ORIGINAL = re.compile(
    r"""\s{0,8}-{2,20}\s?(?:original\ (?:message|appointment)|original-?nachricht|ursprüngliche\ nachricht|message\ d['’]origine
    |message\ original|mensaje\ original|mensagem\ original|messaggio\ originale|oorspronkelijk\ bericht|ursprungligt\ meddelande
    |oprindelig\ meddelelse|opprinnelig\ melding|alkuperäinen\ viesti|wiadomość\ oryginalna|původní\ zpráva|исходное\ сообщение
    |forwarded\ message|weitergeleitete\ nachricht|message\ transféré|mensaje\ reenviado|mensagem\ encaminhada
    |messaggio\ inoltrato|doorgestuurd\ bericht|пересылаемое\ сообщение)\s?-{2,20}""",
    re.IGNORECASE | re.VERBOSE,
)
_BEFORE_ORIGINALS = frozenset("-_ \t\f\v")  # how the line that either matches begins
_OUTLOOK = re.compile(r"_{20,}\s*$")
_WHO = "From|FROM|Von|De|Da|Van|Från|Fra|Od|Lähettäjä|От|发件人|寄件者|差出人|보낸 사람"
_WHEN = (
    "Sent|Date|Gesendet|Datum|Envoyé|Enviado(?: el| em)?|Enviada(?: em)?|Fecha|Data|Inviato|Verzonden|Skickat|Sendt|Dato"
    "|Lähetetty|Päivämäärä|Wysłano|Odesláno|Отправлено|Дата|发送时间|日期|寄件日期|送信日時|日付|보낸 날짜"
)
_REST = (
    "To|Cc|Subject|Importance|An|Betreff|Wichtigkeit|À|Objet|Para|Asunto|Assunto|A|Oggetto|Aan|Onderwerp|Till|Kopia|Ämne|Til|Emne"
    "|Vastaanottaja|Kopio|Aihe|Do|DW|Temat|Komu|Kopie|Předmět|Кому|Копия|Тема|收件人|抄送|主题|收件者|主旨|宛先|件名"
    "|받는 사람|제목"
)
_FROM = re.compile(rf"\*?(?:{_WHO})\s?[:：]\*?\s?\S")
_DATED = re.compile(rf"\*?(?:{_WHEN})\s?[:：]", re.IGNORECASE)
_HEADER = re.compile(rf"\s*\*?(?:{_WHO}|{_WHEN}|{_REST})\s?[:：]", re.IGNORECASE)
_FORWARDED = re.compile(
    r"(?:Begin forwarded message|Anfang der weitergeleiteten (?:Nachricht|E-Mail)|Début du message réexpédié"
    r"|Inicio del mensaje reenviado|Inizio (?:del )?messaggio inoltrato|Begin doorgestuurd bericht)\s?:$"
)  # as Apple Mail says it above the headers
_FOOTER = re.compile(
    r"""_{10,}\s*$ | -{20,}\s*$ | ={20,}\s*$ | \S.{0,80}\bmailing\s+list\b.{0,20}$ | .*/mailman/listinfo/ | .*\bto\s+unsubscribe\b
    | \s*(?:un)?subscri(?:be|ption)\b.{0,80}(?:https?:|@) | \s*sent\s+(?:from|via|with)\s+my\b.{0,60}$""",
    re.IGNORECASE | re.VERBOSE,
)
_DEVICE = re.compile(
    r"""\s{0,3}(?:sent\s(?:from\s(?:my|mail\sfor|yahoo|outlook)|with\sproton) | get\soutlook\sfor
    | gesendet\s(?:von\smeinem|mit\sder) | von\smeinem\s.{3,30}\sgesendet
    | diese\snachricht\swurde\svon\smeinem | envoyé\s(?:de|depuis)\smon
    | enviado\s(?:desde\smi|do\smeu) | inviato\sda(?:l\smio)? | verstuurd\svanaf\smijn | skickat\sfrån\smin)\b.{0,80}$""",
    re.IGNORECASE | re.VERBOSE,
)
_FOOTER_LINES = 14  # at most, at the end
_SCRUBBED = re.compile(r"-{10,}\s*next part\s*-{10,}\s*$")
_SCRUBBED_SAYS = re.compile(
    r"(?:An? .{1,40} was scrubbed\.\.\.|Skipped content of type|(?:Name|Type|Size|Desc|URL|Url|From|To|Subject|Date)\s*:)"
)
_SIGNATURE = re.compile(r"--\s?$")
_SIGNATURE_ABOVE = 6  # lines at most, where a quote follows: whoever answers on top signs in the middle
_SIGNATURE_LINES = 24  # below it at most; where more follows, it is a rule across the page
_ARMOUR = re.compile(r"-----(BEGIN|END) PGP ([A-Z ]+)-----\s*$")
_FILE_BEGINS = re.compile(r"begin(?:-base64)? [0-7]{3,4} \S")  # as uuencode writes it
_HASH = re.compile(r"Hash: \S+\s*$")
_PROSE = re.compile(r"[^\W\d_]{2}")
_LIST_ITEM = re.compile(r"(?:[-*+•o]|\(?\d{1,3}[.)]|\(?[a-z][.)])\s")


def own_words(text: str) -> str:
    """The text with everything named above as lines that begin with ">", and full lines joined."""
    lines = [line.rstrip() if line.rstrip() != "--" else line[:3].ljust(2) for line in text.expandtabs(8).split("\n")]
    lines = [line[1:] if line.startswith(" From ") else line for line in lines]  # as mailers hide it from mbox files
    lines = _without_armour(lines)
    if "begin " in text or "begin-base64 " in text:
        _mark_files(lines)
    marked = _mark_originals([_mark(line) for line in _join_attributions(lines)])
    return _squeezed(unwrapped(_mark_end(_mark_inside(_mark_above_quotes(_mark_devices(marked))))))


def unflowed(text: str, *, delsp: bool = False) -> str:
    """Flowed text (RFC 3676) with its soft line breaks joined, quotes at each depth apart; `delsp` as in its header."""
    joined: list[tuple[int, str]] = []
    soft = False
    for line in text.split("\n"):
        depth = len(line) - len(line.lstrip(">"))
        content = line[depth:].removeprefix(" ")
        goes_on = content.endswith(" ") and content != "-- "
        if soft and joined and joined[-1][0] == depth and content != "-- ":
            joined[-1] = depth, joined[-1][1] + content
        else:
            joined.append((depth, content))
        if goes_on and delsp:
            joined[-1] = depth, joined[-1][1][:-1]
        soft = goes_on
    return "\n".join(f"{'>' * depth} {content}".rstrip() if depth else content for depth, content in joined)


def unwrapped(lines: list[str]) -> list[str]:
    """The lines, with those that were broken only because they were full joined to the next.

    A line is full if the next one's first word would have made it wider than any line of this text that holds prose.
    """
    prose = [_is_prose(line) for line in lines]
    width = max((len(line) for line, is_prose in zip(lines, prose, strict=True) if is_prose and len(line) <= _WIDEST), default=0)
    if width < _NARROWEST:
        return lines
    joined: list[str] = []
    full, last = False, 0
    for line, is_prose in zip(lines, prose, strict=True):
        whole = full and is_prose and not _LIST_ITEM.match(line)
        if whole and last + 1 + len(line.split(" ", 1)[0]) > width:
            joined[-1] += f" {line}"
        else:
            joined.append(line)
        full, last = is_prose or whole, len(line)
    return joined


def _is_prose(line: str) -> bool:
    return not line.startswith((">", "  ", "\t")) and _PROSE.search(line) is not None


def _mark(line: str) -> str:
    """A quote in any of its shapes as "> ...", an attribution likewise; any other line as it is."""
    quote = _QUOTE.match(line) if line[:8].lstrip()[:5].find(">") >= 0 or line.lstrip().startswith(("|", ">")) else None
    if quote and (">" in quote[0] or line.lstrip().startswith("| ")) and not quote[0].strip().isalpha():
        return f"> {line[quote.end() :]}".rstrip()
    return f"> {line}" if line.rstrip().endswith(":") and _ATTRIBUTION.match(line) else line


def _mark_above_quotes(lines: list[str]) -> list[str]:
    """A line that says who wrote what is quoted right below it, or below one blank line, as a quote."""
    for place, line in enumerate(lines):
        if line.endswith(":") and not line.startswith(">"):
            below = next((one for one in lines[place + 1 : place + 3] if one), "")
            if below.startswith(">") and _BEFORE_QUOTE.match(line):
                lines[place] = f"> {line}"
    return lines


def _join_attributions(lines: list[str]) -> list[str]:
    """An attribution that goes on in the next line as one line."""
    joined: list[str] = []
    for line in lines:
        if (
            joined
            and line.endswith("wrote:")
            and _ATTRIBUTION_ENDS.match(line)
            and _ATTRIBUTION_BEGINS.match(joined[-1])
            and not joined[-1].endswith(":")
        ):
            joined[-1] += f" {line.strip()}"
        else:
            joined.append(line)
    return joined


def _without_armour(lines: list[str]) -> list[str]:
    """The lines without the frame of a signed mail; its signature as a quote."""
    if not any(line.startswith("-----") for line in lines):
        return lines
    kept: list[str] = []
    block = ""
    for line in lines:
        found = _ARMOUR.match(line)
        if found:
            block = found[2] if found[1] == "BEGIN" else ""
            if found[2] != "SIGNED MESSAGE":
                kept.append(f"> {line}")
        elif block == "SIGNED MESSAGE" and _HASH.match(line):
            continue
        else:
            kept.append(f"> {line}" if block and block != "SIGNED MESSAGE" else line.removeprefix("- ") if block else line)
    return kept


def _mark_files(lines: list[str]) -> None:
    """What uuencode wrote, as quotes."""
    ends = 0
    for place, line in enumerate(lines):
        if place >= ends and line.startswith("begin") and _FILE_BEGINS.match(line):
            ends = next((n + 1 for n in range(place, len(lines)) if lines[n] in ("end", "====")), 0)
            if not ends:
                return
            lines[place:ends] = [f"> {one}".rstrip() for one in lines[place:ends]]


def _mark_originals(lines: list[str]) -> list[str]:
    """What stands below "-----Original Message-----", or below headers as Outlook writes them, as quotes."""
    for place, line in enumerate(lines):
        if line[:1] in _BEFORE_ORIGINALS:
            below = lines[place + 1 : place + 4]
            if _ORIGINAL.match(line) or (_OUTLOOK.match(line) and sum(_HEADER.match(one) is not None for one in below) >= 2):
                return _quoted_from(lines, place)
        elif _FROM.match(line) and _are_headers([one for one in lines[place + 1 : place + 9] if one][:4]):
            above = next((n for n in range(place - 1, -1, -1) if lines[n]), place)
            return _quoted_from(lines, above if _FORWARDED.match(lines[above]) else place)
    return lines


def _are_headers(lines: list[str]) -> bool:
    """Whether of the lines below "From: ..." two are headers too, one of them the date, which examples in prose seldom have."""
    return sum(_HEADER.match(line) is not None for line in lines) >= 2 and any(_DATED.match(line) for line in lines)


def _quoted_from(lines: list[str], start: int) -> list[str]:
    return lines[:start] + [one if one.startswith(">") or not one else f"> {one}" for one in lines[start:]]


def _mark_devices(lines: list[str]) -> list[str]:
    """What telephones and mailers write below a mail, wherever the quote then stands, as quotes."""
    for place, line in enumerate(lines):
        if _DEVICE.match(line) and (not place or not lines[place - 1]):
            below = lines[place + 1] if place + 1 < len(lines) else ""
            if not below or below.startswith(">"):
                lines[place] = f"> {line}"
    return lines


def _mark_inside(lines: list[str]) -> list[str]:
    """A signature above a quote, and what a list says of parts it took out, as quotes."""
    if not any(line.startswith("--") for line in lines):
        return lines
    marked: list[str] = []
    left, scrubbed = 0, False
    for place, line in enumerate(lines):
        if _SIGNATURE.fullmatch(line):
            below = next((n for n, one in enumerate(lines[place + 1 :]) if one.startswith(">")), 0)
            left = below + 1 if 0 < sum(map(bool, lines[place + 1 : place + 1 + below])) <= _SIGNATURE_ABOVE else 0
        scrubbed = _SCRUBBED.match(line) is not None or (scrubbed and _SCRUBBED_SAYS.match(line) is not None)
        marked.append(f"> {line}" if line and (left > 0 or scrubbed) and not line.startswith(">") else line)
        left -= 1
    return marked


def _mark_end(lines: list[str]) -> list[str]:
    """The signature and the list's footer at the end as quotes."""
    end = len(lines)
    for place in range(end - 1, max(end - _FOOTER_LINES, -1), -1):
        if not lines[place].startswith(">") and _FOOTER.match(lines[place]):
            end = place
    start = next((place for place in range(max(end - _SIGNATURE_LINES, 0), end) if _SIGNATURE.fullmatch(lines[place])), end)
    return _quoted_from(lines, start)


def _squeezed(lines: list[str]) -> str:
    """The lines as text, with at most one blank line between two others."""
    kept: list[str] = []
    for line in lines:
        if line or (kept and kept[-1]):
            kept.append(line)
    return "\n".join(kept).strip("\n")
