// Shows openapi.yaml, which is served one folder up.

// The introduction describes the responses and headers that are common to many
// operations. Each operation shows only its other ones.
const isCommon = (part) => part.get("x-common");
const ownResponses = (responses) =>
	responses.filterNot(isCommon).map((r) => r.update("headers", (headers) => headers?.filterNot(isCommon)));
const plugin = {
	wrapComponents: {
		responses: (Responses, {React}) => (props) =>
			React.createElement(Responses, {...props, responses: ownResponses(props.responses)}),
	},
};

// An answer with an access token, as from /login/, authorizes the page.
function authorize(response) {
	const access = response.status === 200 && response.body?.access;
	if (access) {
		const schema = ui.specSelectors.securityDefinitions().get("token");
		ui.authActions.authorizeWithPersistOption({token: {name: "token", schema, value: access}});
	}
	return response;
}

const ui = SwaggerUIBundle({
	url: "../openapi.yaml",
	dom_id: "#docs",
	deepLinking: true, // an address for each operation
	validatorUrl: null, // no badge, because another host would draw it
	defaultModelsExpandDepth: 0,
	displayRequestDuration: true,
	tryItOutEnabled: true,
	persistAuthorization: true, // a reload keeps the token
	responseInterceptor: authorize,
	plugins: [plugin],
});
