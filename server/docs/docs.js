// Shows openapi.yaml, which is served one folder up.
SwaggerUIBundle({
	url: "../openapi.yaml",
	dom_id: "#docs",
	deepLinking: true, // an address for each operation
	validatorUrl: null, // which would be another host
	defaultModelsExpandDepth: 0,
	displayRequestDuration: true,
	tryItOutEnabled: true,
});
