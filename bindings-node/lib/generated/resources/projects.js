"use strict";

class Projects {
  #client;

  constructor(client) {
    this.#client = client;
  }

  create(project, options) {
    return this.#client._call(0, [project], options);
  }

  get(id, options) {
    return this.#client._call(1, [id], options);
  }

  list(params, options) {
    return this.#client._call(2, [params], options);
  }
}

exports.Projects = Projects;
