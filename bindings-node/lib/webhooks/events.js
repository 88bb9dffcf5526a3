// The events that this version knows (contract, section 6).
"use strict";

const projects = ["project.created", "project.updated", "project.deleted", "project.status_changed"];
const assets = ["asset.ready", "asset.failed"];
const jobs = ["job.completed", "job.failed", "job.cancelled"];
const portfolio = [
  "risk.created",
  "risk.escalated",
  "risk.resolved",
  "decision.created",
  "decision.approved",
  "decision.rejected",
  "report.generated",
  "resource.overallocated",
  "sprint.completed",
  "sprint.velocity_drop",
  "project.risk_prediction",
];

exports.KNOWN = new Set([...projects, ...assets, ...jobs, ...portfolio]);
