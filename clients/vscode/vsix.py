"""The extension for Visual Studio Code as a .vsix, which is a zip with two files that say what is in it. Nothing is translated.

python clients/vscode/vsix.py [FOLDER]     clients/dist, if none is named
"""

from __future__ import annotations

import json
import sys
import zipfile
from pathlib import Path
from xml.sax.saxutils import escape, quoteattr

HERE = Path(__file__).resolve().parent
LICENSE = HERE.parents[1] / "LICENSE"
KINDS = {".json": "application/json", ".js": "application/javascript", ".md": "text/markdown", ".png": "image/png"}
TYPES = "http://schemas.openxmlformats.org/package/2006/content-types"
MANIFEST = """<?xml version="1.0" encoding="utf-8"?>
<PackageManifest Version="2.0.0" xmlns="http://schemas.microsoft.com/developer/vsx-schema/2011">
<Metadata>
<Identity Language="en-US" Id={name} Version={version} Publisher={publisher}/>
<DisplayName>{title}</DisplayName><Description xml:space="preserve">{description}</Description>
<Tags></Tags><Categories>{categories}</Categories><GalleryFlags>Public</GalleryFlags>
<Properties>
<Property Id="Microsoft.VisualStudio.Code.Engine" Value={engine}/>
<Property Id="Microsoft.VisualStudio.Code.ExtensionKind" Value={kind}/>
</Properties>
<License>extension/LICENSE.txt</License><Icon>extension/icon.png</Icon>
</Metadata>
<Installation><InstallationTarget Id="Microsoft.VisualStudio.Code"/></Installation>
<Dependencies/>
<Assets>
<Asset Type="Microsoft.VisualStudio.Code.Manifest" Path="extension/package.json" Addressable="true"/>
<Asset Type="Microsoft.VisualStudio.Services.Content.Details" Path="extension/README.md" Addressable="true"/>
<Asset Type="Microsoft.VisualStudio.Services.Content.License" Path="extension/LICENSE.txt" Addressable="true"/>
<Asset Type="Microsoft.VisualStudio.Services.Icons.Default" Path="extension/icon.png" Addressable="true"/>
</Assets>
</PackageManifest>
"""


def manifest() -> str:
    """What is in the package, in the words of the editor's gallery."""
    told = json.loads((HERE / "package.json").read_text(encoding="utf-8"))
    return MANIFEST.format(
        **{name: quoteattr(told[name]) for name in ("name", "version", "publisher")},
        title=escape(told["displayName"]),
        description=escape(told["description"]),
        categories=escape(",".join(told["categories"])),
        engine=quoteattr(told["engines"]["vscode"]),
        kind=quoteattr(",".join(told["extensionKind"])),
    )


def types() -> str:
    """What kind of file each ending stands for."""
    kinds = {**KINDS, ".txt": "text/plain", ".vsixmanifest": "text/xml"}
    lines = "".join(f"<Default Extension={quoteattr(end)} ContentType={quoteattr(kind)}/>" for end, kind in kinds.items())
    return f'<?xml version="1.0" encoding="utf-8"?>\n<Types xmlns="{TYPES}">{lines}</Types>\n'


def pack(into: Path) -> Path:
    """The package, in the folder `into`: the same bytes from the same source."""
    archive = into / "rejoinder.vsix"
    files = {f"extension/{file.name}": file.read_bytes() for file in sorted(HERE.iterdir()) if file.suffix in KINDS}
    files["extension/LICENSE.txt"] = LICENSE.read_bytes()
    told = {"extension.vsixmanifest": manifest().encode(), "[Content_Types].xml": types().encode()}
    with zipfile.ZipFile(archive, "w", zipfile.ZIP_DEFLATED) as packed:
        for name, data in {**told, **files}.items():
            packed.writestr(zipfile.ZipInfo(name), data, zipfile.ZIP_DEFLATED)
    return archive


if __name__ == "__main__":
    target = Path(sys.argv[1]) if len(sys.argv) > 1 else HERE.parent / "dist"
    target.mkdir(parents=True, exist_ok=True)
    print(pack(target))
