"""Where help belongs: after the caret only what closes, prose, and a language that the voice knows."""

from __future__ import annotations

from math import inf
from pathlib import Path

import pytest
from test_typing import NO_LIMIT, SPARK, words
from typists import parrot

from rejoinder.engine.manners import LanguageCheck, at_line_end, is_prose
from rejoinder.engine.typing import Engine, Gate
from rejoinder.home.open_home import OpenHome
from rejoinder.home.voices import phrases_of
from rejoinder.home.workspace import Workspace
from rejoinder.models import PACKAGE
from rejoinder.post import Post
from rejoinder.serve.editor.document import Silence, read_document
from rejoinder.text.phrases import Phrases


@pytest.mark.parametrize(
    ("after", "end"),
    [
        ("", True),
        ("  \t", True),
        (")", True),
        ('*)" ', True),
        ("”\nmore words", True),
        ("\r\nmore", True),
        ("`**\n", True),
        ("word", False),
        (") word", False),
        (" a\n", False),
        (".", False),
    ],
)
def test_what_closes_is_the_end_of_a_line_at_every_door(after: str, end: bool) -> None:
    assert at_line_end(after) is end
    typed = Engine({"fake": parrot(words(), SPARK)}, {}, None, NO_LIMIT).open().suggest("Check the", after)
    assert bool(typed.ghost) is end and bool(typed.words) is end
    assert isinstance(read_document("markdown", "Check the" + after, 9), Silence) is not end


@pytest.mark.parametrize(
    ("draft", "prose"),
    [
        ("Check the", True),
        ("```python\nimport o", False),
        ("```\nx = 1\n```\nCheck the", True),
        ("~~~\nx", False),
        ("Call `os.pa", False),
        ("Call `os.path` and", True),
        ("See https://exam", False),
        ("See www.exam", False),
        ("See https://example.org and", True),
        ("Write to ada@exam", False),
        ("It costs 12", False),
        ("It costs 12 dol", True),
        ("Open src/engine/typ", False),
        ("Either this and/or th", True),
    ],
)
def test_code_addresses_and_numbers_are_no_prose(draft: str, prose: bool) -> None:
    assert is_prose(draft) is prose


def test_where_there_is_no_prose_only_the_eager_speak_and_words_are_offered() -> None:
    text = "Call `Check the spark plug"
    typist = Engine({"fake": parrot(words(), text)}, {}, None, NO_LIMIT).open()
    quiet = typist.suggest("Call `Check the")
    assert quiet.ghost == "" and quiet.words and typist.suggest("Call `Check the", gate=Gate.EAGER).ghost


FOREIGN = [
    "Je vous remercie pour votre réponse et je voudrais savoir si vous pouvez ",
    "Bonjour, nous avons bien reçu votre commande mais il manque une pièce dans le ",
    "Quand j'étais petit, ma grand-mère préparait toujours une soupe aux légumes le ",
    "Le problème vient du fait que la fonction renvoie toujours la même valeur quand on ",
    "Merci beaucoup pour votre aide, cela fonctionne parfaitement depuis ce ",
    "Il faudrait changer le joint avant que l'eau ne coule encore sous l'",
    "Ich möchte mich herzlich für die schnelle Antwort bedanken und hoffe, dass wir ",
    "Leider funktioniert die Anmeldung seit gestern nicht mehr, obwohl ich das ",
    "Wir haben gestern den ganzen Abend darüber gesprochen, was noch zu tun ",
    "Der Fehler tritt nur auf, wenn man zweimal auf den Knopf drückt und danach ",
    "Könnten Sie mir bitte sagen, wann die Lieferung ungefähr ankommen ",
    "Meine Großmutter hat uns jeden Sonntag einen Kuchen gebacken und dann ",
    "Muchas gracias por su respuesta, quisiera saber si es posible cambiar la ",
    "Cuando era niño, mi abuela siempre nos preparaba una sopa muy rica los ",
    "El programa se cierra cada vez que intento guardar los cambios en el ",
    "Hola, todavía no hemos recibido el pedido que hicimos la semana ",
    "Creo que deberíamos esperar hasta que todos hayan terminado su ",
    "No entiendo por qué la página tarda tanto en cargar desde que ",
]
ENGLISH = [
    "Kubernetes evicts the pod because the kubelet sees memory pressure, so the ",
    "We moved from Postgres to ClickHouse with Kafka and Debezium in front of the ",
    "Siobhán and Krzysztof asked whether Ngozi had already spoken with the ",
    "My GP put me on amoxicillin and paracetamol for the sinusitis, and since then the ",
    "Use numpy's einsum or torch.matmul instead of nested loops over the ",
    "The sous chef deglazed the pan with vermouth and folded in the crème fraîche before ",
    "grep the dmesg output for segfault and pipe it to awk before you ",
    "Ottolenghi's shakshuka with za'atar and harissa is what we always ",
    "I rebased the branch, squashed the fixups and force-pushed, so please ",
    "The Bundesliga match between Leverkusen and Mönchengladbach was postponed because of ",
    "lol yeah gonna grab some ramen w/ Yuki after work if you wanna ",
    "Please restart systemd-resolved and check whether nslookup resolves the ",
    "The mitochondria of eukaryotic cells produce ATP by oxidative phosphorylation, which ",
    "Our cat Muffin hates the new vet in Llanelli, but she tolerates the ",
    "Their counsel filed a motion in limine under the Daubert standard, and the judge ",
    "Dear Mrs Okonkwo-Przybylski, thank you for your letter about the ",
]


def test_into_another_language_nothing_is_said_and_english_with_names_and_jargon_goes_on() -> None:
    """By the word list in the package. Looked at from the fifth word on, word by word."""
    is_foreign = LanguageCheck(phrases_of(Workspace(Path("nowhere")), f"{PACKAGE}mixture", lambda line: None))

    def silenced(drafts: list[str]) -> float:
        ends = [(draft, place) for draft in drafts for place, letter in enumerate(draft, 1) if letter == " "]
        looked = [is_foreign(draft[:place]) for draft, place in ends if len(draft[:place].split()) >= 5]
        return sum(looked) / len(looked)

    assert silenced(FOREIGN) > 0.9 and all(is_foreign(draft) for draft in FOREIGN)
    assert silenced(ENGLISH) < 0.05 and not any(is_foreign(draft) for draft in ENGLISH)
    assert not LanguageCheck(None)(FOREIGN[0])
    assert not LanguageCheck(Phrases.build([Post(1, text="a small home")]))(FOREIGN[0])  # which knows few words of any language


def test_no_english_word_goes_into_french(tmp_path: object) -> None:
    opened = OpenHome(Workspace(tmp_path), lambda line: None)  # type: ignore[arg-type]
    typed = opened.open_typing((Post(0),), ()).suggest(FOREIGN[0], gate=Gate.EAGER, deadline=inf)
    assert (typed.ghost, typed.words) == ("", ())
