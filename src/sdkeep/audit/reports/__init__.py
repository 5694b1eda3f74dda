"""Reports of many files for other programs: SARIF, JUnit, CycloneDX and plain JSON. Pure text; no file is written."""
