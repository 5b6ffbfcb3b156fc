const vu = globalThis.k6StandIn;

export default {
  vu: {
    get idInTest() {
      return vu.id;
    },
    get iterationInInstance() {
      return vu.iteration;
    },
  },
};
