"use strict";

const { Projects } = require("./resources/projects.js");

/** A client's resources, by their names. */
exports.resources = [["projects", Projects]];
