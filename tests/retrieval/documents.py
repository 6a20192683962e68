"""Small documents of every kind, made up for the tests: no text of them comes from a real source."""

import io
import json
import zipfile
from collections.abc import Sequence

DOSES = [
    ["Drug", "Dose", "Frequency"],
    ["amoxicillin", "500 mg", "every 8 hours"],
    ["doxycycline", "100 mg", "every 12 hours"],
]
FIRST_ROW = "Drug: amoxicillin; Dose: 500 mg; Frequency: every 8 hours"

TOPICS = """<?xml version="1.0" encoding="UTF-8"?>
<!DOCTYPE health-topics SYSTEM "topics.dtd">
<health-topics total="3" date-generated="11/20/2026 02:30:00">
<health-topic title="Hiccups" url="https://medlineplus.gov/hiccups.html" id="11" language="English"
  date-created="03/02/2011"><also-called>Singultus</also-called>
  <full-summary>&lt;h3&gt;What are hiccups?&lt;/h3&gt;&lt;p&gt;A hiccup is a sudden movement of the diaphragm.&lt;/p&gt;
  &lt;ul&gt;&lt;li&gt;Most stop by themselves&lt;/li&gt;&lt;/ul&gt;</full-summary>
  <see-reference>Hiccough</see-reference></health-topic>
<health-topic title="Hipo" url="https://medlineplus.gov/spanish/hiccups.html" id="12" language="Spanish"
  date-created="03/02/2011"><full-summary>&lt;p&gt;El hipo suele pasar solo.&lt;/p&gt;</full-summary></health-topic>
<health-topic title="Empty" url="https://medlineplus.gov/empty.html" id="13" language="English"
  date-created="03/02/2011"><full-summary></full-summary></health-topic>
</health-topics>"""

QUESTIONS = """<?xml version="1.0" encoding="UTF-8"?>
<Document id="0000007" source="NINDS" url="https://example.org/hiccups">
<Focus>Hiccups</Focus>
<FocusAnnotations><Synonyms><Synonym>Singultus</Synonym></Synonyms></FocusAnnotations>
<QAPairs>
  <QAPair pid="1"><Question qid="0000007-1" qtype="information">What is (are) Hiccups ?</Question>
    <Answer>Hiccups are sudden movements.
                    They include:    - short hiccups    -  long hiccups</Answer></QAPair>
  <QAPair pid="2"><Question qid="0000007-2" qtype="treatment">What are the treatments for Hiccups ?</Question>
    <Answer></Answer></QAPair>
</QAPairs></Document>"""

SET_ID = "11111111-2222-3333-4444-555555555555"
LABEL = f"""<?xml version="1.0" encoding="UTF-8"?>
<document xmlns="urn:hl7-org:v3">
<code code="34391-3" displayName="HUMAN PRESCRIPTION DRUG LABEL"/>
<title>These highlights do not include everything about PLACEBIN.</title>
<effectiveTime value="20260301"/><setId root="{SET_ID}"/>
<author>
<assignedEntity><representedOrganization><name>Example Pharma</name></representedOrganization></assignedEntity></author>
<component><structuredBody>
<component><section><code code="48780-1"/><subject><manufacturedProduct><manufacturedProduct>
  <name>Placebin<suffix>XR</suffix></name>
  <asEntityWithGeneric><genericMedicine><name>placebo hydrochloride</name></genericMedicine></asEntityWithGeneric>
</manufacturedProduct></manufacturedProduct></subject></section></component>
<component><section><code code="34068-7"/><title>2 DOSAGE AND ADMINISTRATION</title>
  <text><paragraph>Give by mouth.</paragraph>
  <table><caption>Table 1. Dose by kidney function</caption>
  <thead>
<tr><th>Creatinine clearance<footnote>By Cockcroft and Gault.</footnote></th><th colspan="2">Dose</th></tr>
    <tr><th/><th>Day</th><th>Night</th></tr></thead>
  <tbody><tr><td>30 mL/min or more</td>
<td>10<sup>3</sup> units</td><td>5 mg</td></tr>
    <tr><td colspan="3">On dialysis</td></tr>
    <tr>
<td>before it<footnote ID="n1">Not on the first day.</footnote></td><td>2 mg</td><td>none</td></tr></tbody></table>
  <paragraph>Swallow whole.</paragraph>
  <list><item>with food</item><item>or without</item></list></text>
  <excerpt><highlight><text><paragraph>A highlight that repeats.</paragraph></text></highlight></excerpt>
  <component><section><title>2.1 Children</title>
<text><paragraph>Do not give to children.</paragraph></text></section></component>
</section></component>
<component><section><code code="34066-1"/><title>WARNING: SLEEPINESS</title>
  <text><paragraph>Placebin may make drowsy.</paragraph></text></section></component>
<component><section><code code="51945-4"/><title>PACKAGE LABEL</title><text>NDC 1</text></section></component>
</structuredBody></component></document>"""

OPENFDA = {
    "meta": {"results": {"total": 1}},
    "results": [
        {
            "set_id": SET_ID,
            "id": "x",
            "effective_time": "20260301",
            "version": "3",
            "spl_product_data_elements": ["Placebin placebo"],
            "indications_and_usage": ["1 INDICATIONS AND USAGE Placebin is for nothing. 1.1 Adults Take none."],
            "boxed_warning": ["WARNING: SLEEPINESS Placebin may make drowsy."],
            "dosage_and_administration": ["2 DOSAGE AND ADMINISTRATION Give by mouth."],
            "dosage_and_administration_table": [
                "<table><tr><th>Drug</th><th>Dose</th></tr><tr><td>Placebin</td><td>5 mg</td></tr></table>"
            ],
            "openfda": {
                "brand_name": ["Placebin"],
                "generic_name": ["PLACEBO HYDROCHLORIDE"],
                "manufacturer_name": ["Example Pharma"],
                "product_type": ["HUMAN PRESCRIPTION DRUG"],
            },
        }
    ],
}


def openfda() -> bytes:
    """The answer of openFDA's label endpoint."""
    return json.dumps(OPENFDA).encode()


def zipped(files: dict[str, bytes | str]) -> bytes:
    """A zip archive of these files."""
    data = io.BytesIO()
    with zipfile.ZipFile(data, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    return data.getvalue()


def word(doses: Sequence[Sequence[str]] = DOSES) -> bytes:
    """A Word file with a title, headings, a list, a table, and a tracked change."""
    from docx import Document
    from docx.oxml import parse_xml
    from docx.oxml.ns import nsdecls

    document = Document()
    document.add_heading("Pneumonia on the ward", 0)
    document.add_heading("Treatment", 1)
    changed = document.add_paragraph("Do ")
    for tag, inner in (("ins", "<w:t>not </w:t>"), ("del", "<w:delText>always </w:delText>")):
        changed._p.append(parse_xml(f"<w:{tag} {nsdecls('w')}><w:r>{inner}</w:r></w:{tag}>"))
    changed.add_run("wait for the culture. Neutrophils above 10")
    changed.add_run("9").font.superscript = True
    changed.add_run("/L.")
    document.add_paragraph("take blood first", style="List Bullet")
    document.add_paragraph("then give the dose", style="List Bullet")
    document.add_heading("Doses", 2)
    document.add_paragraph("Table 1. Adults", style="Caption")
    table = document.add_table(rows=0, cols=len(doses[0]))
    for row in doses:
        for cell, text in zip(table.add_row().cells, row, strict=True):
            cell.text = text
    document.add_paragraph("Review after 48 hours.")
    data = io.BytesIO()
    document.save(data)
    return data.getvalue()


def word_run(before: str, run: str, after: str) -> bytes:
    """A Word file of one line: a text, a run given as XML, a text."""
    from docx import Document
    from docx.oxml import parse_xml
    from docx.oxml.ns import nsdecls

    document = Document()
    paragraph = document.add_paragraph(before)
    paragraph._p.append(parse_xml(run.replace("<w:r>", f"<w:r {nsdecls('w')}>", 1)))
    paragraph.add_run(after)
    data = io.BytesIO()
    document.save(data)
    return data.getvalue()


def slides() -> bytes:
    """A presentation of three slides: a list with notes, an empty one, a table."""
    from pptx import Presentation
    from pptx.util import Inches

    presentation = Presentation()
    presentation.core_properties.title = "Sepsis teaching"
    first = presentation.slides.add_slide(presentation.slide_layouts[1])
    first.shapes.title.text = "The first hour"
    first.placeholders[1].text = "Take cultures\nGive fluids"
    first.notes_slide.notes_text_frame.text = "Ask who has seen a case."
    presentation.slides.add_slide(presentation.slide_layouts[6])
    last = presentation.slides.add_slide(presentation.slide_layouts[5])
    last.shapes.title.text = "Doses"
    table = last.shapes.add_table(3, 3, Inches(1), Inches(2), Inches(6), Inches(2)).table
    for number, row in enumerate(DOSES):
        for column, text in enumerate(row):
            table.cell(number, column).text = text
    data = io.BytesIO()
    presentation.save(data)
    return data.getvalue()


def guideline() -> bytes:
    """A PDF of four pages: a title, two columns with running heads and feet, a table over two pages, a ruled one."""
    from reportlab.lib import colors
    from reportlab.lib.pagesizes import A4
    from reportlab.lib.styles import ParagraphStyle, getSampleStyleSheet
    from reportlab.platypus import (
        BaseDocTemplate,
        Frame,
        FrameBreak,
        ListFlowable,
        ListItem,
        NextPageTemplate,
        PageBreak,
        PageTemplate,
        Paragraph,
        Table,
        TableStyle,
    )

    styles = getSampleStyleSheet()
    body = ParagraphStyle("b", parent=styles["BodyText"], fontSize=9.5, leading=11.5, alignment=4)

    def edges(canvas, document) -> None:  # type: ignore[no-untyped-def]
        canvas.setFont("Helvetica", 8)
        canvas.drawString(50, 815, "Ward guideline 12")
        canvas.drawRightString(545, 25, f"Page {document.page} of 4")

    def template(name: str, frames: list[Frame]) -> PageTemplate:
        return PageTemplate(id=name, frames=frames, onPage=edges)

    columns = [Frame(45, 45, 240, 640), Frame(310, 45, 240, 640)]
    data = io.BytesIO()
    document = BaseDocTemplate(
        data,
        pagesize=A4,
        title="untitled",
        pageTemplates=[
            template("two", [Frame(45, 690, 505, 100), *columns]),
            template("one", [Frame(45, 45, 505, 740)]),
        ],
    )
    story = [Paragraph("Pneumonia in hospital", styles["Title"]), FrameBreak()]
    for number in range(1, 21):
        if number in (1, 12):
            story.append(Paragraph("Diagnosis" if number == 1 else "Treatment", styles["Heading2"]))
        text = "Give the first dose early and count neutrophils, which should be above 0.5 × 10<super>9</super>/L. "
        story.append(Paragraph(f"Start {number}. {text * 2} Anti-<br/>biotics were given. End {number}.", body))
    story += [
        ListFlowable(
            [ListItem(Paragraph(text, body)) for text in ("oral switch", "stop on day five")], bulletType="bullet"
        ),
        *(NextPageTemplate("one"), PageBreak(), Paragraph("Doses", styles["Heading2"])),
    ]
    rows = [DOSES[0], *([f"drug{number}", f"{number} mg", "daily"] for number in range(1, 50))]
    grid = TableStyle([("GRID", (0, 0), (-1, -1), 0.5, colors.black)])
    story += [
        Paragraph("Table 1. Doses for adults with<br/>normal kidneys", body),
        Table(rows, colWidths=150, style=grid),
        Paragraph("Harms", styles["Heading2"]),
    ]
    ruled = [["Effect", "Placebo (n = 100)", "Drug (n = 99)"], ["Rash", "3 (3 %)", "9 (9 %)"], ["Pain", "1 (1 %)", "2"]]
    rules = [("LINEABOVE", (0, 0), (-1, 0)), ("LINEBELOW", (0, 0), (-1, 0)), ("LINEBELOW", (0, -1), (-1, -1))]
    story.append(Table(ruled, colWidths=120, style=TableStyle([(*rule, 1, colors.black) for rule in rules])))
    document.build(story)
    return data.getvalue()


def journal() -> bytes:
    """A PDF page with an abstract over three narrow, widely set columns."""
    from reportlab.lib.pagesizes import letter
    from reportlab.lib.styles import ParagraphStyle, getSampleStyleSheet
    from reportlab.platypus import BaseDocTemplate, Frame, FrameBreak, PageTemplate, Paragraph

    body = ParagraphStyle("b", parent=getSampleStyleSheet()["BodyText"], fontSize=9, leading=10.2, alignment=4)
    frames = [Frame(50, 560, 512, 190), *(Frame(left, 50, 165, 500) for left in (50, 223, 396))]
    data = io.BytesIO()
    document = BaseDocTemplate(data, pagesize=letter, pageTemplates=[PageTemplate(frames=frames)])
    abstract = "We compared five days with ten days of treatment in adults. " * 9
    outcome = "The outcome was cure at day 28 in the intention-to-treat population, with a margin of 10 %. "
    numbers = range(1, 17)
    document.build(
        [
            *(Paragraph(f"Abstract. {abstract}", body), FrameBreak()),
            *(Paragraph(f"Start {number}. {outcome * 2} End {number}.", body) for number in numbers),
        ]
    )
    return data.getvalue()


def symbols(text: str) -> bytes:
    """A PDF page with "Dose 5", and after it these characters in the Symbol font."""
    from reportlab.pdfgen.canvas import Canvas

    data = io.BytesIO()
    canvas = Canvas(data)
    canvas.drawString(72, 700, "Dose 5")
    canvas.setFont("Symbol", 12)
    canvas.drawString(120, 700, text)
    canvas.save()
    return data.getvalue()


def scan() -> bytes:
    """A PDF of one page with a drawing and no letters."""
    from reportlab.pdfgen.canvas import Canvas

    data = io.BytesIO()
    canvas = Canvas(data)
    canvas.rect(100, 100, 50, 50)
    canvas.showPage()
    canvas.save()
    return data.getvalue()


def locked() -> bytes:
    """A PDF that opens with a password only."""
    from reportlab.lib.pdfencrypt import StandardEncryption
    from reportlab.pdfgen.canvas import Canvas

    data = io.BytesIO()
    canvas = Canvas(data, encrypt=StandardEncryption("secret"))
    canvas.drawString(100, 700, "Secret text.")
    canvas.save()
    return data.getvalue()
