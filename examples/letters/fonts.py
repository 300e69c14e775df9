"""A to J drawn from open fonts: those of the Debian packages named here that are installed, and those that matplotlib ships.

A glyph becomes an image as notMNIST's did: white on black, cut to its ink and stretched both ways to the whole 28 x 28. So it
is the same each time, and the same font gives near the same image wherever it comes from.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np

from letters.copies import without_copies
from letters.idx import LETTERS, SIDE, Bytes, Ints, Letters

PACKAGES = """
fonts-adf-accanthis fonts-adf-baskervald fonts-adf-berenis fonts-adf-gillius fonts-adf-ikarius fonts-adf-irianis
fonts-adf-libris fonts-adf-mekanus fonts-adf-oldania fonts-adf-romande fonts-adf-solothurn fonts-adf-switzera
fonts-adf-tribun fonts-adf-universalis fonts-adf-verana fonts-aenigma fonts-agave fonts-allerta fonts-amiga
fonts-anonymous-pro fonts-apropal fonts-arapey fonts-averia-gwf fonts-averia-sans-gwf fonts-averia-serif-gwf fonts-b612
fonts-babelstone-modern fonts-bajaderka fonts-bebas-neue fonts-beteckna fonts-blankenburg fonts-breip fonts-bwht fonts-cabin
fonts-cabinsketch fonts-cantarell fonts-cardo fonts-century-catalogue fonts-cherrybomb fonts-clear-sans fonts-cmu
fonts-comfortaa fonts-comic-neue fonts-courier-prime fonts-crosextra-caladea fonts-crosextra-carlito fonts-dancingscript
fonts-dkg-handwriting fonts-dosis fonts-dustin fonts-ebgaramond fonts-ecolier-court fonts-engadget fonts-essays1743
fonts-eurofurence fonts-f500 fonts-fantasma fonts-fantasque-sans fonts-fanwood fonts-femkeklaver fonts-ferrite-core
fonts-firacode fonts-freefont-ttf fonts-gamaliel fonts-georgewilliams fonts-gfs-artemisia fonts-gfs-baskerville
fonts-gfs-didot fonts-gfs-neohellenic fonts-glasstty fonts-gnutypewriter fonts-go fonts-gotico-antiqua fonts-goudybookletter
fonts-havana fonts-hermit fonts-humor-sans fonts-inconsolata fonts-isabella fonts-jetbrains-mono fonts-joscelyn
fonts-junction fonts-jura fonts-karla fonts-kaushanscript fonts-klaudia-berenika fonts-kristi fonts-lato fonts-le-murmure
fonts-league-mono fonts-league-spartan fonts-leckerli-one fonts-lemonada fonts-levien-museum fonts-levien-typoscript
fonts-liberation fonts-lindenhill fonts-linuxlibertine fonts-lobster fonts-lobstertwo fonts-manrope fonts-monofur
fonts-monoid fonts-mononoki fonts-national-park fonts-ocr-a fonts-ocr-b fonts-okolaks fonts-oldstandard fonts-open-sans
fonts-opendin fonts-opendyslexic fonts-osifont fonts-oxygen fonts-paratype fonts-play fonts-prociono fonts-quattrocento
fonts-quicksand fonts-radisnoir fonts-roadgeek fonts-roboto-slab fonts-roboto-unhinted fonts-routed-gothic fonts-rufscript
fonts-sil-gentium-basic fonts-sixtyfour fonts-sjfonts fonts-sora fonts-staypuft fonts-summersby fonts-texgyre fonts-tiresias
fonts-tlwg-purisa-ttf fonts-tlwg-sawasdee-ttf fonts-tlwg-typist-ttf fonts-tomsontalks fonts-tuffy fonts-ubuntu-title
fonts-vollkorn fonts-yanone-kaffeesatz fonts-yrsa-rasa
""".split()

# faces that a person does not read as upright Latin letters: ornaments, codes, cubes, letters that lie on their side
UNREADABLE = frozenset(
    "3dlet 90stars bin01st binx01s bitbttf cmex10 entlayrb fauxsnow graze hdmaker lineding "
    "qbicle1 qbicle2 qbicle3 qbicle4 symmetry vertigo vertigo2".split()
)

NOVELTIES = ("fonts-aenigma",)  # letters in frames, of dots, as pictures: made to be looked at more than read
_DPKG = Path("/var/lib/dpkg/info")  # one list of files a package
_POINTS = 4 * SIDE  # drawn at this size and made smaller
_DISTINCT = 0.02  # two letters of a face that are nearer than this are one


@dataclass(frozen=True)
class Face:
    """A font file whose A to J are Latin letters."""

    file: Path
    family: str


class Glyphs(NamedTuple):
    """N images drawn from fonts, and which font and family of fonts each is of."""

    letters: Letters
    fonts: tuple[str, ...]  # (N,) the file, without what it ends in
    families: tuple[str, ...]  # (N,)

    def at(self, places: Ints) -> Glyphs:
        """Those at `places`."""
        fonts, families = (tuple(names[place] for place in places) for names in (self.fonts, self.families))
        return Glyphs(self.letters.at(places), fonts, families)

    def distinct(self) -> Glyphs:
        """Without near-duplicates: of those alike, the first. So no family has a copy in another."""
        return self.at(np.flatnonzero(without_copies(self.letters.images)))


def font_files(packages: Iterable[str] = PACKAGES) -> list[Path]:
    """The font files of those `packages` that are installed, and matplotlib's, in a fixed order."""
    import matplotlib

    found = set((Path(matplotlib.get_data_path()) / "fonts" / "ttf").iterdir())
    for package in packages:
        listing = _DPKG / f"{package}.list"
        if listing.is_file():
            found |= {Path(line) for line in listing.read_text(encoding="utf-8").splitlines()}
    fonts = [file for file in found if file.suffix.lower() in (".ttf", ".otf") and file.is_file()]
    return sorted(fonts, key=lambda file: (file.name, str(file)))


def family_of(name: str) -> str:
    """The family of the font `name`, for the split: its first word, so that Lato and Lato Light Italic never stand on both sides.

    Too much may fall together so (Linux Libertine, Linux Biolinum), and never too little.
    """
    words = ["".join(filter(str.isalpha, word)) for word in name.casefold().split()]
    return next((word for word in words if len(word) > 1), name.casefold())


def open_face(file: Path) -> Face | None:
    """The face in `file`; None if it cannot be read, lacks one of A to J, or states them to be symbols."""
    from matplotlib.ft2font import FT2Font

    try:
        font = FT2Font(str(file))
        known = font.get_charmap()
    except (RuntimeError, OSError):
        return None
    return Face(file, family_of(font.family_name or file.stem)) if all(ord(letter) in known for letter in LETTERS) else None


def draw(file: Path) -> Bytes | None:
    """(10, 28, 28) uint8: A to J of a font; None if one has no ink, or two are the same, as the boxes for a missing glyph are."""
    from PIL import Image, ImageFont

    font = ImageFont.truetype(file, _POINTS)
    images = np.zeros((len(LETTERS), SIDE, SIDE), np.uint8)
    for place, letter in enumerate(LETTERS):
        mask = font.getmask(letter, mode="L")
        ink = np.asarray(mask, np.uint8).reshape(mask.size[::-1])
        rows, columns = np.flatnonzero(ink.any(axis=1)), np.flatnonzero(ink.any(axis=0))
        if not len(rows):
            return None
        cut = Image.fromarray(ink[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1])
        images[place] = np.asarray(cut.resize((SIDE, SIDE), Image.Resampling.BOX))
    return images if without_copies(images, _DISTINCT).all() else None


def faces(packages: Sequence[str] = PACKAGES) -> list[Face]:
    """All faces at hand whose A to J can be drawn and read."""
    found = (open_face(file) for file in font_files(packages) if file.stem not in UNREADABLE)
    return [face for face in found if face is not None]


def only_of(packages: Sequence[str], of: Sequence[Face]) -> set[str]:
    """The families of which no face comes from elsewhere than these packages (and matplotlib)."""
    files = set(font_files(packages)) - set(font_files(()))
    return {face.family for face in of} - {face.family for face in of if face.file not in files}


def render(of: Iterable[Face]) -> Glyphs:
    """A to J of each face; many are near-duplicates."""
    images, fonts, families = [np.zeros((0, SIDE, SIDE), np.uint8)], list[str](), list[str]()
    for face in of:
        drawn = draw(face.file)
        if drawn is not None:
            images.append(drawn)
            fonts += [face.file.stem] * len(LETTERS)
            families += [face.family] * len(LETTERS)
    labels = np.tile(np.arange(len(LETTERS)), len(images) - 1)
    return Glyphs(Letters(np.concatenate(images), labels), tuple(fonts), tuple(families))


def missing(packages: Iterable[str] = PACKAGES) -> list[str]:
    """Those of `packages` that are not installed."""
    return [package for package in packages if not (_DPKG / f"{package}.list").is_file()]


if __name__ == "__main__":
    print(" ".join(missing()))
