"""The file of an export, for flows: clusters/exports/container.py, where the API reads it too."""

from clusters.exports.container import ExportDamaged, ExportReader, ExportWriter, export_key

__all__ = ["ExportDamaged", "ExportReader", "ExportWriter", "export_key"]
